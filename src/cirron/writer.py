"""From the rings to the spool: one drain, used by the writer thread and by `flush()`."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING

from cirron.faults import Faults

if TYPE_CHECKING:
    from cirron._recorder import Recorder
    from cirron._recorder.values import Deferred, Plain
    from cirron.outlets import Outlets


SPOOL = "spool"  # the place of all faults with the session's folders: one cause, one warning

WAYS_OUT = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "raise the quota or free some space",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EMFILE: "raise the limit on open files",
}


def way_out(error: OSError) -> str:
    """What the user can do about an error of the session's folders."""
    if isinstance(error, TimeoutError):
        return "another pass hangs: see whether the disk still answers"
    return WAYS_OUT.get(error.errno or 0, "make the folder writable, or pass another `path` to profile()")


JOURNALS_AS_WANTED = ("file", "anonymous (no journal path)")


class Drain:
    """Seals what was recorded so far into batches, and tells the user what the recorder had to say.

    Any number of threads may run it at once: the recorder lets one at a time write, and to resolve a value
    twice is harmless.

    Attributes:
        latency_ns: how long the latest pass took.
        deferred_count: mark values that a device had not finished at the latest pass.
    """

    def __init__(self, recorder: Recorder, outlets: Outlets, faults: Faults) -> None:
        self.latency_ns = 0
        self.deferred_count = 0
        self._recorder = recorder
        self._outlets = outlets
        self._faults = faults

    def once(self, block: bool, timeout_s: float | None = None) -> None:
        """One pass; never raises.

        Args:
            block: wait for values that a device still computes, instead of leaving them to a later pass.
            timeout_s: how long to wait for a pass that another thread is making; None for as long as it takes.
        """
        started_ns = time.perf_counter_ns()
        self.resolve(block)
        self._seal(timeout_s)
        self.look_after_journal()
        self.pass_on()
        self.latency_ns = time.perf_counter_ns() - started_ns

    def in_signal_handler(self, timeout_s: float) -> None:
        """As much of a pass as may be done in the middle of anything else: what is recorded goes to disk."""
        self._seal(timeout_s)

    def resolve(self, block: bool) -> None:
        """Fetch the values of marks from their devices, those that are ready or with `block` all of them."""
        left = 0
        for key, value in self._recorder.take_deferred():
            if block or self._is_ready(value):
                self._recorder.resolve(key, self._get(value))
            else:
                left += 1
        self.deferred_count = left

    def pass_on(self) -> None:
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
            self._faults.note("deferred value", error, "the state of a mark's value on a device is unknown")
            return True

    def _get(self, value: Deferred) -> Plain:
        try:
            return value.get()
        except Exception as error:  # noqa: BLE001 - as above
            self._faults.note("deferred value", error, "a mark's value could not be fetched from its device")
            return None

    def _seal(self, timeout_s: float | None) -> None:
        try:
            if self._recorder.drain(timeout_s) > 0:
                self._faults.over(SPOOL)
        except OSError as error:  # TimeoutError is one too
            self._faults.note(
                SPOOL, error, f"a batch could not be written, and waits for the next try ({way_out(error)})"
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the next pass tries again
            self._faults.note("drain", error, "a batch could not be written, and waits for the next try")

    def look_after_journal(self) -> None:
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
    """The task that drains at every interval, and earlier when a ring fills up."""

    name = "writer"
    keeps_disk = True

    def __init__(self, recorder: Recorder, drain: Drain, interval_s: float) -> None:
        self._recorder = recorder
        self._drain = drain
        self._interval_s = interval_s

    def wait(self) -> None:
        """Return when it is time for a pass."""
        self._recorder.wait(self._interval_s)

    def wake(self) -> None:
        """Begin the next pass at once."""
        self._recorder.wake()

    def work(self) -> None:
        """One pass."""
        self._drain.once(block=False)

    def has_more(self) -> bool:
        """Never: whoever ends the session writes what is left."""
        return False
