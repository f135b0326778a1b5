"""How long hooks go on looking for what may be new: for some calls."""

from __future__ import annotations

import threading

CALLS = 8  # without anything new, after which there is nothing more to learn
CALLS_OF_ALL = 512  # for it may be another thread that calls


class Countdown:
    """Calls that are still to be looked at: some in each thread that waits for them, however quick another one is."""

    def __init__(self) -> None:
        self._left: dict[int, int] = {}
        self._left_of_all = 0

    def begin(self) -> None:
        """The calling thread waits for what its next calls show."""
        self._left[threading.get_ident()] = CALLS
        self._left_of_all = CALLS_OF_ALL

    def count(self) -> bool:
        """One call has been looked at; whether any thread waits for more."""
        thread_id = threading.get_ident()
        left = self._left.pop(thread_id, 0) - 1
        if left > 0:
            self._left[thread_id] = left
        self._left_of_all -= 1
        if self._left_of_all <= 0:
            self._left.clear()
        return bool(self._left)
