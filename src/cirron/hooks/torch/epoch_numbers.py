"""How the epochs of a session are numbered."""

from __future__ import annotations

import os


class EpochNumbers:
    """The numbers of the epochs of a session; a forked child, which is a session of its own, begins anew."""

    def __init__(self) -> None:
        self._next = 0
        self._process_id = os.getpid()

    def take(self) -> int:
        """That of an epoch that begins."""
        if self._process_id != os.getpid():
            self._process_id, self._next = os.getpid(), 0
        self._next += 1
        return self._next - 1

    def give_back(self, number: int) -> None:
        """That of an epoch that was none; where another thread has begun one since, it stays unused."""
        if number == self._next - 1:
            self._next = number
