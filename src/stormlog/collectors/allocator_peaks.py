"""The peaks of torch's allocator on one GPU, for as many phases as there are, and unnoticed by the user."""

from __future__ import annotations

from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cirron.faults import Faults

if TYPE_CHECKING:
    from cirron.hooks.torch.device_memory import DeviceMemory
    from cirron.peak_ledger import Interval


class AllocatorPeaks:
    """Asks the allocator together with the hooks of torch: what one of them resets, the other is told.

    Args:
        torch: the module.
        device_id: the number of the GPU as torch counts.
    """

    def __init__(self, torch: ModuleType, device_id: int) -> None:
        self._torch: Any = torch
        self._device_id = device_id
        self._memory: DeviceMemory | None = None
        self._begun: set[Interval] = set()
        self._is_over = False
        self._lock = RLock()  # a signal handler may enter a phase while its thread does

    def begin(self) -> Interval | None:
        """Begin to watch; None before the program has started CUDA.

        Raises:
            Exception: this release of torch keeps its counters in another way; said once.
        """
        if self._is_over or not self._torch.cuda.is_initialized():
            return None
        try:
            interval = self._shared().ledger(self._device_id).begin()
        except Exception:
            self._is_over = True
            raise
        self._begun.add(interval)
        return interval

    def end(self, interval: Interval) -> int | None:
        """The most that was allocated since then; None where nobody watches any more."""
        if self._memory is None or interval not in self._begun:
            return None
        self._begun.discard(interval)
        return self._memory.ledger(self._device_id).end(interval)

    def close(self) -> None:
        """Watch no more, for phases that are still open either."""
        with self._lock:
            self._is_over = True
            memory = self._memory
        if memory is None:
            return
        try:
            for interval in tuple(self._begun):
                self.end(interval)
        finally:
            self._memory = None
            memory.give_back()

    def _shared(self) -> DeviceMemory:
        from cirron.hooks.torch.device_memory import DeviceMemory

        with self._lock:
            if self._memory is None:
                self._memory = DeviceMemory.shared(self._torch._C, self._torch.cuda, Faults())
            return self._memory
