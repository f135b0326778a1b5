"""How threads of ours are woken."""

from __future__ import annotations

import queue


class Bell:
    """Ends a wait from any thread, and from a signal handler that interrupted a thread ringing it."""

    def __init__(self) -> None:
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()  # unlike Event.set, its put is reentrant

    def ring(self) -> None:
        """End the wait that is under way, or the next one."""
        self._rings.put(None)

    def wait(self, timeout_s: float) -> bool:
        """Return at a ring (True) or when time is up (False); all rings so far are answered by one return."""
        try:
            self._rings.get(timeout=timeout_s)
            while not self._rings.empty():
                self._rings.get_nowait()
        except queue.Empty:  # time is up, or another waiter answered the rest
            return False
        return True
