"""What a collector reads, and what a tracker expects of one."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct, field

LIMIT = "cgroup_limit_bytes"  # the fact that is there where a control group limits the process

ANONYMOUS_BYTES = (
    "anonymous_bytes"  # of the resident size what belongs to no file; the journal does, and data sets may
)
HEAP_BYTES = "heap_bytes"  # what the C library has handed out; small objects of Python are not among it
TRACKER_BYTES = "tracker_bytes"  # of that, what the tracker's own history takes


class Reading(Struct, frozen=True, kw_only=True):
    """The memory at an instant, in the fields of a telemetry event; None is what the device cannot tell.

    Args:
        peak_bytes: the most that `allocated_bytes` has ever been; None where nobody keeps it, or a user may reset it.
        facts: what has no field of its own, for the event's metadata.
        problem: why some of it could not be read.
    """

    allocated_bytes: int | None = None
    reserved_bytes: int | None = None
    active_bytes: int | None = None
    inactive_bytes: int | None = None
    device_used_bytes: int | None = None
    device_free_bytes: int | None = None
    device_total_bytes: int | None = None
    peak_bytes: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None

    @property
    def used_share(self) -> float | None:
        """How full the device is, from 0 to 1: by all processes where that is known, or else by this one."""
        known = (self.device_used_bytes, self.reserved_bytes, self.allocated_bytes)
        used_bytes = next((each for each in known if each is not None), None)
        if used_bytes is None or not self.device_total_bytes:
            return None
        return used_bytes / self.device_total_bytes


class Collector(Protocol):
    """Reads the memory of one device; any exception it raises is counted, and leaves that reading empty."""

    @property
    def name(self) -> str:
        """`host`, `cuda`, `rocm` or `mps`."""

    @property
    def device_id(self) -> int | None:
        """The number of the device, None for the host."""

    def read(self, thorough: bool) -> Reading:
        """The memory now; `thorough` asks in addition for what takes longer than a phase should wait."""

    def begin_peak(self) -> Any:
        """Begin to watch for a peak that no reading misses; None where the device does not tell."""

    def end_peak(self, begun: Any) -> int | None:
        """The most that `allocated_bytes` was since then, given what `begin_peak` gave."""

    def close(self) -> None:
        """Leave the device's counters as if nobody had asked. Nothing may be asked any more."""


class WithoutPeaks:
    """The part of a collector that tells of peaks, for a device that keeps none which one may begin anew."""

    def begin_peak(self) -> None:
        """Nothing is watched."""

    def end_peak(self, begun: None) -> None:
        """Nobody knows."""

    def close(self) -> None:
        """Nothing was changed."""
