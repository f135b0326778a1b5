"""The task that brings batches from the spool to a server: one at a time, oldest first, again after failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cirron.bell import Bell
from cirron.broken_pipes import sigpipe_held_back
from cirron.delivery.backoff import LONGEST_S, Backoff
from cirron.delivery.claim import SpoolClaim
from cirron.delivery.outcome import AuthRefused, Closed, Delivered, Failed, NoRoute, Outcome, Rejected
from cirron.delivery.spool_queue import SpoolQueue
from cirron.delivery.transport import Transport
from cirron.faults import Faults

if TYPE_CHECKING:
    from cirron.delivery.blobs import Blobs

IDLE_S = 1.0  # between two looks into the spool when nobody wakes us
CLAIM_S = 2.0  # at the end of a session, for another process that sends from the same spool
CLAIM_AGAIN_S = 0.05
CLOSE_S = 1.0  # for a try that was interrupted to come back

_BATCH_ID = slice(21, 53)  # of a batch's file name


def _random() -> float:
    from random import random  # only when something failed: it brings OpenSSL's library along

    return random()


class _DeliveryError(Exception):
    """What `Faults` is told of a try that failed."""


class Sender:
    """A supervised task. Between its rounds a spool holds whole batches only, so it may end after any of them.

    Args:
        transport: takes the batches.
        queue: where they wait.
        claim: the right to send from that spool.
        faults: counts failures, and says the first of each kind.
        spool_dir: for messages.
        blobs: sends snapshot files; None where they stay on disk.
        clock: seconds on a clock that is never set.
        random: a number from 0 to 1.
        is_wanted: whether it is this process that shall send; asked again and again.
    """

    name = "sender"
    keeps_disk = False

    def __init__(
        self,
        transport: Transport,
        queue: SpoolQueue,
        claim: SpoolClaim,
        faults: Faults,
        spool_dir: Path,
        blobs: Blobs | None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = _random,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._transport = transport
        self._queue = queue
        self._claim = claim
        self._faults = faults
        self._spool_dir = spool_dir
        self._blobs = blobs
        self._is_wanted = is_wanted
        self._clock = clock
        self._backoff = Backoff(clock, random)
        self._bell = Bell()
        self._look_anew = True
        self._turn = threading.Lock()  # held during a round
        self._closed = False
        self._is_posting = False
        self._is_overdue = False
        self._claim_until_s: float | None = None
        self._sent_count = self._rejected_count = self._failure_count = 0
        self._last_error: str | None = None
        self._stopped: str | None = None

    # ---- the task ----

    def wait(self) -> None:
        """Return when there is a batch to try, when `wake` was called, or after a while."""
        pause_s = self.pause_s()
        if pause_s > 0:
            self._look_anew = self._bell.wait(pause_s)

    def wake(self) -> None:
        """Have a look into the spool now; callable from any thread and any signal handler."""
        self._bell.ring()

    def work(self) -> None:
        """Try one batch, the oldest, if it is time."""
        with self._turn:
            try:
                self._round()
            finally:
                if self._closed:
                    self._let_go()
                elif self._is_overdue:
                    self._is_overdue = False
                    self._transport.close()  # the next try has a connection of its own

    def interrupt(self) -> None:
        """Have a batch that takes too long fail, as with a server that drips its answer; it is tried again."""
        if self._is_posting:
            self._is_overdue = True
            self._transport.interrupt()

    def has_more(self) -> bool:
        """Whether another round at once would bring the work forward; asked when the session ends."""
        if not self._may_try():
            self._queue.refresh(anew=True)  # so that health() knows what is left
            return False
        if self._queue.first(anew=True) is None:
            return False
        return self._claim.hold() or self._awaits_claim()

    def pause_s(self) -> float:
        """How long there is nothing to do, as far as this process knows."""
        if self._stopped is not None or self._closed or not self._is_wanted():
            return IDLE_S
        if self._backoff.remaining_s > 0:
            return min(IDLE_S, self._backoff.remaining_s)
        return 0.0 if len(self._queue) > 0 and self._claim.hold() else IDLE_S

    def close(self) -> None:
        """End for good, within a second or so: a try that is under way fails, and its batch stays in the spool."""
        self._closed = True
        self._transport.interrupt()
        self._bell.ring()
        if self._turn.acquire(timeout=CLOSE_S):  # else the round does it when it comes back
            try:
                self._let_go()
            finally:
                self._turn.release()

    def facts(self) -> dict[str, Any]:
        """The `delivery` part of `health()`; cheap, and for any thread.

        `last_error` says why the latest try failed, and is None once one succeeded; `stopped` says why there
        will be no further try.
        """
        return {
            "sent_count": self._sent_count,
            "rejected_count": self._rejected_count,
            "failure_count": self._failure_count,
            "backlog_count": len(self._queue),
            "last_error": self._last_error,
            "stopped": self._stopped,
        }

    # ---- one round ----

    def _may_try(self) -> bool:
        is_free = self._stopped is None and not self._closed and self._backoff.remaining_s == 0
        return is_free and self._is_wanted()

    def _round(self) -> None:
        if not self._may_try() or not self._claim.hold():
            self._queue.refresh()  # so that health() knows how much waits
            return
        name = self._queue.first(anew=self._look_anew)
        content = None if name is None else self._queue.read(name)
        if name is not None and content is not None:
            with sigpipe_held_back():
                outcome = self._tried(name, content)
            self._queue.settle(name, content, outcome)
            self._account_for(outcome)

    def _tried(self, name: str, content: bytes) -> Outcome:
        try:
            return self._deliver(name, content)
        except MemoryError:
            return Failed(f"there is not enough memory to send {len(content):,} bytes")

    def _deliver(self, name: str, content: bytes) -> Outcome:
        if self._blobs is not None:
            outcome = self._blobs.send(content)
            if not isinstance(outcome, Delivered):
                return outcome
        self._is_posting = True
        try:
            return self._transport.deliver(name[_BATCH_ID], content)
        finally:
            self._is_posting = False

    def _awaits_claim(self) -> bool:
        """Wait a little for the process that has the claim: it may end now too, having looked before we sealed."""
        now_s = self._clock()
        if self._claim_until_s is None:
            self._claim_until_s = now_s + CLAIM_S
        self._bell.wait(CLAIM_AGAIN_S)
        return now_s < self._claim_until_s

    def _let_go(self) -> None:
        self._transport.close()
        self._claim.release()

    # ---- what came of it ----

    def _account_for(self, outcome: Outcome) -> None:
        match outcome:
            case Delivered():
                self._sent_count += 1
                self._last_error = None
                self._backoff.succeeded()
            case Rejected():
                self._rejected_count += 1
                self._backoff.succeeded()
                self._note("rejected batch", outcome.reason, self._said_of_rejected())
            case Failed():
                self._backoff.failed(outcome.retry_after_s)
                self._note_failure("delivery", outcome.reason, self._said_of_failure())
            case NoRoute():
                self._backoff.failed(LONGEST_S)
                self._note_failure("delivery route", outcome.reason, self._said_of_route())
            case AuthRefused():
                self._stop(f"the API key was refused ({outcome.status})", "check CIRRON_API_KEY (`api_key`)")
            case Closed():
                self._stop(outcome.reason, "keep it open")

    def _note_failure(self, place: str, reason: str, consequence: str) -> None:
        self._failure_count += 1
        self._note(place, reason, consequence)

    def _note(self, place: str, reason: str, consequence: str) -> None:
        self._last_error = reason
        self._faults.note(place, _DeliveryError(reason), consequence)

    def _stop(self, why: str, way_out: str) -> None:
        self._failure_count += 1
        self._last_error = self._stopped = why
        self._claim.release()
        self._faults.warn(
            f"{self._transport.target}: {why}, so this process sends nothing more: {way_out}; traces stay in "
            f"{self._spool_dir}, and `cirron spool flush` sends them later"
        )

    def _said_of_failure(self) -> str:
        return (
            f"traces could not be delivered to {self._transport.target}; they stay in {self._spool_dir} and are "
            "tried again, and `cirron spool flush` sends what is left after the run"
        )

    def _said_of_route(self) -> str:
        return (
            f"{self._transport.target} takes no traces: check CIRRON_API_ENDPOINT (`api_endpoint`); they stay in "
            f"{self._spool_dir} and are tried again every {LONGEST_S:.0f} s, and `cirron spool flush` sends what is "
            "left after the run"
        )

    def _said_of_rejected(self) -> str:
        return (
            f"a batch for {self._transport.target} was rejected for good; it lies in "
            f"{self._spool_dir / 'rejected'} with the reason beside it, and the others are sent"
        )
