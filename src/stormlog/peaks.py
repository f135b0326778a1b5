"""The highest of many readings since any one of them."""

from __future__ import annotations

import threading
from bisect import bisect_left


class Crest:
    """Keeps of all readings only those that no later one exceeds: few, and enough for any question.

    Example:
        crest = Crest()
        start = crest.note(100)
        crest.note(300)
        crest.note(200)
        crest.since(start)      # 300
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant: a signal handler may enter a phase while its thread does
        self._next = 0
        self._positions: list[int] = []
        self._values: list[int] = []

    def note(self, value: int | None) -> int:
        """Add a reading, None for one that failed; returns its position."""
        with self._lock:
            position = self._next
            self._next += 1
            if value is not None:
                while self._values and self._values[-1] <= value:
                    self._values.pop()
                    self._positions.pop()
                self._values.append(value)
                self._positions.append(position)
            return position

    def since(self, position: int) -> int | None:
        """The highest reading from `position` on; None if there was none."""
        with self._lock:
            index = bisect_left(self._positions, position)
            return self._values[index] if index < len(self._values) else None
