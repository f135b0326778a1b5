"""The memory of an NVIDIA or AMD GPU, as torch's allocator and the driver tell it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from stormlog.collectors.allocator_peaks import AllocatorPeaks
from stormlog.collectors.reading import Reading


class CudaCollector:
    """What torch's allocator holds on one GPU, and how full the GPU is.

    It never makes CUDA start: before the program does so, the allocator holds nothing, and of the device only NVML
    can tell.

    Args:
        torch: the module.
        device_id: the number of the GPU as torch counts.
    """

    def __init__(self, torch: ModuleType, device_id: int) -> None:
        self._torch: Any = torch
        self.name = "rocm" if torch.version.hip else "cuda"
        self.device_id = device_id
        peaks = AllocatorPeaks(torch, device_id)
        self.begin_peak, self.end_peak, self.close = peaks.begin, peaks.end, peaks.close

    def read(self, thorough: bool) -> Reading:
        """The memory now; nothing waits for the GPU."""
        if not self._torch.cuda.is_initialized():
            return self._before_the_start()
        stats = self._torch.cuda.memory_stats_as_nested_dict(self.device_id)
        free_bytes, total_bytes = self._torch.cuda.mem_get_info(self.device_id)
        return Reading(
            allocated_bytes=_current(stats, "allocated_bytes"),
            reserved_bytes=_current(stats, "reserved_bytes"),
            active_bytes=_current(stats, "active_bytes"),
            inactive_bytes=_current(stats, "inactive_split_bytes"),
            device_used_bytes=total_bytes - free_bytes,
            device_free_bytes=free_bytes,
            device_total_bytes=total_bytes,
        )

    def _before_the_start(self) -> Reading:
        try:
            used_bytes = int(self._torch.cuda.device_memory_used(self.device_id))
        except (
            ImportError,
            RuntimeError,
        ):  # no NVML here, which is no fault: the device is simply not known yet
            used_bytes = None
        return Reading(
            allocated_bytes=0,
            reserved_bytes=0,
            active_bytes=0,
            inactive_bytes=0,
            device_used_bytes=used_bytes,
        )


def _current(stats: dict[str, Any], name: str) -> int | None:
    """A counter of the allocator; None where another allocator does not keep it."""
    pools = stats.get(name)
    return None if pools is None else int(pools["all"]["current"])
