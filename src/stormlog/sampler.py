"""The thread that takes samples."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cirron.bell import Bell

STOP_S = 2.0  # a collector that hangs is not waited for any longer


class Sampler:
    """Calls a function at even intervals, in a thread of its own; what it could not do in time it leaves out.

    Args:
        interval_s: from one call to the next.
        sample: what to call; it must not raise.
    """

    def __init__(self, interval_s: float, sample: Callable[[], None]) -> None:
        self._interval_s = interval_s
        self._sample = sample
        self._bell = Bell()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="stormlog-sampler", daemon=True)

    def start(self) -> None:
        """Begin; the first call comes after one interval."""
        self._thread.start()

    def stop(self) -> bool:
        """End, and wait for the thread unless it is the one that calls; returns whether it is out of its function."""
        self._stopping = True
        self._bell.ring()
        if self._thread is threading.current_thread():
            return True
        self._thread.join(STOP_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        due_s = time.monotonic() + self._interval_s
        while True:
            self._bell.wait(max(0.0, due_s - time.monotonic()))
            if self._stopping:
                return
            self._sample()
            due_s = max(due_s + self._interval_s, time.monotonic())
