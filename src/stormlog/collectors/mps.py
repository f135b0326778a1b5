"""The memory of the GPU in an Apple computer, as torch tells it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from stormlog.collectors.reading import Reading, WithoutPeaks


class MpsCollector(WithoutPeaks):
    """What torch's tensors hold, what it has from the driver, and how much of that is recommended at most.

    The GPU shares the machine's memory; what other processes hold of it is not told.

    Args:
        torch: the module.
    """

    name = "mps"
    device_id = 0

    def __init__(self, torch: ModuleType) -> None:
        self._torch: Any = torch

    def read(self, thorough: bool) -> Reading:
        """The memory now."""
        mps = self._torch.mps
        return Reading(
            allocated_bytes=int(mps.current_allocated_memory()),
            reserved_bytes=int(mps.driver_allocated_memory()),
            device_total_bytes=int(mps.recommended_max_memory()),
        )
