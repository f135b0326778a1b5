"""`memory_peak_bytes` on a device: its allocator's peak within a scope, which the user's own readings do not feel."""

from __future__ import annotations

import functools
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from cirron.hooks.patches import Patches
from cirron.peak_ledger import PeakLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cirron.faults import Faults
    from cirron.peak_ledger import Interval

Path = tuple[Any, ...]
_BYTES: Path = ("allocated_bytes", "all")
_PART = 0.01  # of the time may go into asking the allocator, which takes some microseconds each time
_AT_FIRST_NS = 5_000_000  # and so much at once, so that the first steps are measured whatever it takes


class DeviceMemory:
    """Asks the allocators of all devices, and answers in their place where the user does.

    An allocator has one peak, so those who want to know of it share one of these: the hooks, and memory trackers.

    Args:
        core: `torch._C`, or what behaves like it.
        cuda: `torch.cuda`, likewise.
        faults: takes what goes wrong where the user asks.
    """

    def __init__(self, core: Any, cuda: Any, faults: Faults) -> None:
        self._stats = core._cuda_memoryStats
        self._reset = core._cuda_resetPeakMemoryStats
        self._core = core
        self._current_device = cuda.current_device
        self._faults = faults
        self._ledgers: dict[int, PeakLedger[Path]] = {}
        self._spent_ns = -_AT_FIRST_NS
        self._since_ns = time.perf_counter_ns()
        self._patches = Patches()
        self._users = 0

    @classmethod
    def shared(cls, core: Any, cuda: Any, faults: Faults) -> DeviceMemory:
        """The one that answers for these allocators, from now on if it is new; each who asks gives it back.

        Raises:
            AttributeError: this release of torch does not have what is asked of it.
        """
        with _sharing:
            memory = next((each for each in _shared if each._core is core), None)
            if memory is None:
                memory = cls(core, cuda, faults)
                memory._install()
                _shared.append(memory)
            memory._users += 1
            return memory

    def give_back(self) -> None:
        """One who has asked for it needs it no more; after the last of them everything is as it was."""
        with _sharing:
            self._users -= 1
            if self._users == 0:
                _shared.remove(self)
                self._patches.undo()

    def ledger(self, device: int) -> PeakLedger[Path]:
        """The peaks of one device, for those who take what asking costs."""
        ledger = self._ledgers.get(device)
        if ledger is None:
            ledger = self._ledgers[device] = PeakLedger(_Allocator(self._stats, self._reset, device), _BYTES)
        return ledger

    def begin(self) -> Begun | None:
        """Begin to watch the current device; None where it has taken too much of the time already."""
        began_ns = time.perf_counter_ns()
        if self._spent_ns > _PART * (began_ns - self._since_ns):
            return None
        ledger = self.ledger(self._current_device())
        begun = Begun(ledger, ledger.begin())
        self._spent_ns += time.perf_counter_ns() - began_ns
        return begun

    def end(self, begun: Begun) -> int:
        """The most memory in use since then."""
        began_ns = time.perf_counter_ns()
        peak_bytes = begun.ledger.end(begun.interval)
        self._spent_ns += time.perf_counter_ns() - began_ns
        return peak_bytes

    def _install(self) -> None:
        for name in ("_cuda_memoryStats", "_accelerator_getDeviceStats"):
            self._replace(name, self._reading)
        for name in ("_cuda_resetPeakMemoryStats", "_accelerator_resetPeakStats"):
            self._replace(name, self._resetting)

    def _replace(self, name: str, ours: Any) -> None:
        original = getattr(self._core, name, None)
        if original is not None:  # some are of some releases only
            self._patches.set(self._core, name, ours(original))

    def _reading(self, original: Any) -> Any:
        @functools.wraps(original)
        def device_stats(device: int) -> Any:
            stats = original(device)
            try:
                self._raise_peaks(device, stats)
            except Exception as error:  # noqa: BLE001 - statistics of a release that nobody here has seen
                self._faults.note("hooks.torch", error, "peaks of memory are those since the latest scope")
            return stats

        return device_stats

    def _raise_peaks(self, device: int, stats: dict[str, Any]) -> None:
        ledger = self._ledgers.get(device)
        if ledger is not None:
            for path, stat in _with_peaks(stats):
                stat["peak"] = ledger.users(path, stat["peak"])

    def _resetting(self, original: Any) -> Any:
        @functools.wraps(original)
        def reset_peak_stats(device: int) -> Any:
            ledger = self._ledgers.get(device)
            if ledger is None:
                return original(device)
            return ledger.reset_users()

        return reset_peak_stats


_shared: list[DeviceMemory] = []  # one for each core that somebody asks
_sharing = threading.Lock()


class Begun(NamedTuple):
    """What `DeviceMemory.end` wants to have back."""

    ledger: PeakLedger[Path]
    interval: Interval


class _Allocator(NamedTuple):
    """See `cirron.peak_ledger.Allocator`: that of one device."""

    stats: Any
    reset_stats: Any
    device: int

    def peaks(self) -> dict[Path, int]:
        return {path: stat["peak"] for path, stat in _with_peaks(self.stats(self.device))}

    def reset(self) -> None:
        self.reset_stats(self.device)


def _with_peaks(stats: dict[Any, Any], path: Path = ()) -> Iterator[tuple[Path, dict[Any, Any]]]:
    """What has a peak among nested statistics, and how to get there."""
    for key, value in stats.items():
        if type(value) is dict:
            if "peak" in value:
                yield (*path, key), value
            else:
                yield from _with_peaks(value, (*path, key))
