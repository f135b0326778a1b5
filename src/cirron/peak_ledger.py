"""Peaks of a counter that has one peak only: one for every scope that is open, and one for the user as if it had none.

An allocator keeps the most memory that was in use since somebody has last asked it to begin anew. Whoever wants to know
that of a scope has to have it begin anew, and spoils it for everybody else. So all who ask go through one ledger.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = TypeVar("Key")


class Allocator(Protocol[Key]):
    """What counts, and has one peak for each thing that it counts."""

    def peaks(self) -> Mapping[Key, int]:
        """The most of each thing since `reset`."""

    def reset(self) -> None:
        """From now on the peaks are what there is now, or more."""


class Interval:
    """From `begin` to `end`.

    Attributes:
        peak: the most so far, as it was at the latest `begin` or `end` of any interval.
    """

    __slots__ = ("peak",)

    def __init__(self) -> None:
        self.peak = 0


class PeakLedger(Generic[Key]):
    """The peaks of one allocator, for intervals in any order and number, and for the user beside them.

    Safe from any thread. An allocation of another thread between the two calls to the allocator, which take less than
    a microsecond, may be missed.

    Args:
        allocator: which nobody else resets from now on.
        counted: what the peaks of intervals are of.

    Example:
        ledger = PeakLedger(allocator, "bytes")
        forward = ledger.begin()
        ...
        peak_bytes = ledger.end(forward)
    """

    def __init__(self, allocator: Allocator[Key], counted: Key) -> None:
        self._allocator = allocator
        self._counted = counted
        self._open: list[Interval] = []
        self._users: dict[Key, int] = {}  # peaks that the allocator has been made to forget
        self._lock = RLock()  # a finalizer may ask in the middle of anything

    def begin(self) -> Interval:
        """Begin an interval."""
        interval = Interval()
        with self._lock:
            self._turn_over()
            self._open.append(interval)
        return interval

    def end(self, interval: Interval) -> int:
        """The most that there was within the interval, which is over."""
        with self._lock:
            self._turn_over()
            self._open.remove(interval)
        return interval.peak

    def users(self, key: Key, peak: int) -> int:
        """What the user would read, given the peak that the allocator knows."""
        return max(peak, self._users.get(key, 0))

    def reset_users(self) -> None:
        """The user wants to begin anew, which intervals do not notice."""
        with self._lock:
            self._turn_over()
            self._users.clear()

    def _turn_over(self) -> None:
        """Write down the allocator's peaks for all whom they concern, and have it begin anew."""
        peaks = self._allocator.peaks()
        self._allocator.reset()
        peak = peaks[self._counted]
        for interval in self._open:
            interval.peak = max(interval.peak, peak)
        users = self._users
        for key, peak in peaks.items():
            if peak > users.get(key, 0):
                users[key] = peak
