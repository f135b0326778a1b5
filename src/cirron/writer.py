"""From the rings to the spool: one drain, used by the writer thread and by `flush()`."""

from __future__ import annotations

import time
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING

from cirron.faults import SPOOL, Faults, way_out

if TYPE_CHECKING:
    from cirron._recorder import Recorder
    from cirron._recorder.values import Deferred, Plain
    from cirron.outlets import Outlets
    from cirron.storage import Storage


JOURNALS_AS_WANTED = ("file", "anonymous (no journal path)")


class Drain:
    """Seals what was recorded so far into batches, and tells the user what the recorder had to say.

    Any number of threads may run it at once: the recorder lets one at a time write, and to resolve a value
    twice is harmless.

    Attributes:
        latency_ns: how long the latest pass took.
        deferred_count: values of marks, and times of scopes, that a device had not finished at the latest pass.
    """

    def __init__(self, recorder: Recorder, outlets: Outlets, faults: Faults) -> None:
        self.latency_ns = 0
        self.deferred_count = 0
        self._recorder = recorder
        self._outlets = outlets
        self._faults = faults

    def once(self) -> None:
        """One pass; never raises."""
        started_ns = time.perf_counter_ns()
        self.resolve(block=False)
        self._seal()
        self._look_after_journal()
        self._pass_on()
        self.latency_ns = time.perf_counter_ns() - started_ns

    def last(self, ended: str) -> None:
        """The last pass, which also ends the session; never raises."""
        self.resolve(block=True)
        self._look_after_journal()
        self._close(ended)
        self._pass_on()

    def resolve(self, block: bool) -> None:
        """Fetch the values of marks, and the times of scopes, from their devices.

        Args:
            block: wait for those that a device still computes, instead of leaving them to a later pass.
        """
        left = 0
        for key, value in self._recorder.take_deferred():
            if block or self._is_ready(value):
                self._recorder.resolve(key, self._get(value))
            else:
                left += 1
        self.deferred_count = left

    def _pass_on(self) -> None:
        """Account for what was sealed, have it printed, and tell the user what the recorder has to say."""
        try:
            self._outlets.pass_on(self._recorder)
        except Exception as error:  # noqa: BLE001 - the program may have replaced what we call
            self._faults.note("outlets", error, "sealed batches could not be accounted for")
        for message in self._recorder.take_warnings():
            self._faults.warn(message)

    def _is_ready(self, value: Deferred) -> bool:
        try:
            return value.ready()
        except Exception as error:  # noqa: BLE001 - a device's library may raise anything
            self._faults.note("deferred value", error, "the state of a value on a device is unknown")
            return True

    def _get(self, value: Deferred) -> Plain:
        try:
            return value.get()
        except Exception as error:  # noqa: BLE001 - as above
            self._faults.note("deferred value", error, "a value could not be fetched from its device")
            return None

    def _seal(self) -> None:
        try:
            if self._recorder.drain() > 0:
                self._faults.over(SPOOL)
        except OSError as error:
            self._faults.note(
                SPOOL, error, f"a batch could not be written, and waits for the next try ({way_out(error)})"
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the next pass tries again
            self._faults.note("drain", error, "a batch could not be written, and waits for the next try")

    def _close(self, ended: str) -> None:
        try:
            self._recorder.close(ended)
        except OSError as error:
            consequence = "the last batch could not be written"
            self._faults.note(SPOOL, error, f"{consequence} ({way_out(error)})")
        except Exception as error:  # noqa: BLE001 - the program ends as it would have without us
            self._faults.note("close", error, "the last batch could not be written")

    def _look_after_journal(self) -> None:
        """Tell the user when a kill would lose more than it has to."""
        kind = self._recorder.journal_kind
        if kind not in JOURNALS_AS_WANTED:
            self._faults.note(
                "journal",
                OSError(kind),
                "there is no journal for some records, so a kill would lose the last of them: "
                "see that the folder has room and its file system can map files, or pass another `path` to profile()",
            )
        elif not self._recorder.journal_intact:
            gone = FileNotFoundError(f"{self._recorder.journal_path} was moved or deleted")
            self._faults.note(
                "journal", gone, "a kill would now lose what is not in the spool yet, so leave .cirron alone"
            )


class Writer:
    """The task that drains at every interval, and earlier when a ring fills up or somebody asks."""

    name = "writer"
    keeps_disk = True

    def __init__(self, recorder: Recorder, drain: Drain, storage: Storage, interval_s: float) -> None:
        self._recorder = recorder
        self._drain = drain
        self._storage = storage
        self._interval_s = interval_s
        self._waiting: deque[SimpleQueue[None]] = deque()  # for a pass that begins after they asked
        self._ending: str | None = None

    def wait(self) -> None:
        """Return when it is time for a pass."""
        self._recorder.wait(self._interval_s)

    def wake(self) -> None:
        """Begin the next pass at once."""
        self._recorder.wake()

    def work(self) -> None:
        """One pass, or the last one."""
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if self._ending is None:
            self._drain.once()
        else:
            self.end_now()
        for done in waiting:
            done.put(None)

    def has_more(self) -> bool:
        """Whether the session is still to be ended."""
        return self._ending is not None and not self._recorder.closed

    def interrupt(self) -> None:
        """There is no way to end a wait for a disk."""

    def ask(self) -> SimpleQueue[None]:
        """Have a pass made at once; the queue gets an item after it. Also for signal handlers."""
        done: SimpleQueue[None] = SimpleQueue()  # which may be waited for in the middle of anything
        self._waiting.append(done)
        self.wake()
        return done

    def end_with(self, ended: str) -> None:
        """Have the next round be the last one, unless somebody has said so before."""
        if self._ending is None:
            self._ending = ended
            self._recorder.set_ending(ended)  # for a recovery, if the last round should never come to its end

    def end_now(self) -> None:
        """End the session, if that is not done yet."""
        if self._ending is not None and not self._recorder.closed:
            self._drain.last(self._ending)
            self._storage.recover()  # what workers left that were killed, so that it is delivered too
