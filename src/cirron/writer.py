"""From the rings to the spool: one drain, used by the writer thread and by `flush()`."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from cirron.faults import Faults

if TYPE_CHECKING:
    from cirron._recorder import Recorder
    from cirron._recorder.values import Deferred, Plain


class Drain:
    """Seals what was recorded so far into batches, and tells the user what the recorder had to say.

    Any number of threads may run it at once: the recorder lets one at a time write, and to resolve a value
    twice is harmless.

    Attributes:
        latency_ns: how long the latest pass took.
        deferred_count: mark values that a device had not finished at the latest pass.
    """

    def __init__(self, recorder: Recorder, faults: Faults) -> None:
        self.latency_ns = 0
        self.deferred_count = 0
        self._recorder = recorder
        self._faults = faults

    def once(self, block: bool) -> None:
        """One pass; never raises.

        Args:
            block: wait for values that a device still computes, instead of leaving them to a later pass.
        """
        started_ns = time.perf_counter_ns()
        self._resolve(block)
        self._seal()
        for message in self._recorder.take_warnings():
            self._faults.warn(message)
        self.latency_ns = time.perf_counter_ns() - started_ns

    def _resolve(self, block: bool) -> None:
        left = 0
        for key, value in self._recorder.take_deferred():
            if block or self._is_ready(value):
                self._recorder.resolve(key, self._get(value))
            else:
                left += 1
        self.deferred_count = left

    def _is_ready(self, value: Deferred) -> bool:
        try:
            return value.ready()
        except Exception as error:  # noqa: BLE001 - a device's library may raise anything
            self._faults.note("deferred value", error, "the state of a mark's value on a device is unknown")
            return True

    def _get(self, value: Deferred) -> Plain:
        try:
            return value.get()
        except Exception as error:  # noqa: BLE001 - as above
            self._faults.note("deferred value", error, "a mark's value could not be fetched from its device")
            return None

    def _seal(self) -> None:
        try:
            self._recorder.drain()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next pass tries again
            self._faults.note(
                "drain", error, "a batch could not be written; its records wait for the next try"
            )


class Writer:
    """The thread that drains at every interval, and earlier when a ring fills up."""

    def __init__(self, recorder: Recorder, drain: Drain, interval_s: float, faults: Faults) -> None:
        self._recorder = recorder
        self._drain = drain
        self._interval_s = interval_s
        self._faults = faults
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="cirron-writer", daemon=True)

    def start(self) -> None:
        """Begin; without a thread to be had, only `flush()` and the end of the session write."""
        try:
            self._thread.start()
        except RuntimeError as error:
            self._faults.note(
                "writer", error, "the writer thread did not start, so call cirron.flush() now and then"
            )

    def stop(self) -> None:
        """Return when the thread has ended; what it did not drain is left for the caller."""
        self._stopping = True
        self._recorder.wake()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._recorder.wait(self._interval_s)
                if not self._stopping:
                    self._drain.once(block=False)
        except Exception as error:  # noqa: BLE001 - the last line of defence: nothing may reach threading.excepthook
            self._faults.note("writer", error, "the writer thread ended, so call cirron.flush() now and then")
