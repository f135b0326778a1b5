"""Sends the batches of a spool, each once and the oldest first: the work of `cirron spool flush`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cirron.delivery.backoff import Backoff
from cirron.delivery.blobs import Blobs
from cirron.delivery.claim import PLACE, SpoolClaim
from cirron.delivery.http import HttpTransport
from cirron.delivery.outcome import AuthRefused, Closed, Delivered, Failed, NoRoute, Outcome, Rejected
from cirron.delivery.settlement import Settlement
from cirron.errors import CirronError
from cirron.faults import Faults
from cirron.spool.files import read_batch_file

CLAIM_S = 2.0  # for a session that is about to end, and sends what is left
CLAIM_AGAIN_S = 0.05
MAX_SERVER_ERRORS = 2  # batches in a row: one alone may be at fault itself

_BATCH_ID = slice(21, 53)  # of a batch's file name


class Waiting(NamedTuple):
    """A batch did not get through and is tried again after a pause."""

    name: str
    pause_s: float
    reason: str


class Tried(NamedTuple):
    """This run is done with a batch.

    Attributes:
        name: of its file.
        error: what the user has to know of it; None when all went well.
    """

    name: str
    error: str | None


Step = Waiting | Tried


class Flush:
    """One pass over the batches that lie in a spool when it begins.

    An exception, such as that of Ctrl-C, may end `run` at any moment: a batch stays in the spool until the server
    has acknowledged it, and one that is sent twice is the same to the byte.

    Args:
        spool: the directory of the batches.
        names: their files, the oldest first.
        transport: takes them.
        settlement: puts away what was taken, and sets aside what was rejected.
        blobs: sends the snapshot files that they name.
        retries: how often each is tried again.
        renew: asked where the login is refused; whether there is another one, with which to try again.
        sleep: waits for so many seconds.
        chance: a number from 0 to 1.

    Attributes:
        uploaded: batches that the server has.
        failed: batches that were tried in vain, rejected ones among them.
        gone: batches that somebody else took out of the spool.
        undeleted: batches that the server has and that are still in the spool.
        stopped: why the rest was not tried; None when it was.

    Example:
        flush = Flush(spool, names, transport, settlement, blobs, retries=3)
        errors = [step.error for step in flush.run() if isinstance(step, Tried) and step.error]
    """

    def __init__(
        self,
        spool: Path,
        names: Sequence[str],
        transport: HttpTransport,
        settlement: Settlement,
        blobs: Blobs,
        retries: int,
        renew: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._spool = spool
        self._names = names
        self._transport = transport
        self._settlement = settlement
        self._blobs = blobs
        self._retries = retries
        self._renew = renew
        self._sleep = sleep
        self._chance = chance
        self._server_errors = 0
        self.uploaded = self.failed = self.gone = self.undeleted = 0
        self.stopped: Outcome | None = None

    def __len__(self) -> int:
        """How many batches there are to send in all."""
        return len(self._names)

    @property
    def skipped(self) -> int:
        """Batches that were not tried, for whatever reason."""
        return len(self) - self.uploaded - self.failed

    @property
    def left(self) -> int:
        """Batches that were not tried and are still in the spool."""
        return self.skipped - self.gone

    @property
    def is_complete(self) -> bool:
        """Whether the spool is empty now, and the server has all that was in it."""
        return self.left == self.failed == self.undeleted == 0

    def run(self) -> Iterator[Step]:
        """Send the batches, and tell of each what came of it as soon as that is known."""
        for name in self._names:
            yield from self._one(name)
            if self.stopped is not None:
                return

    # ---- one batch ----

    def _one(self, name: str) -> Iterator[Step]:
        try:
            content = read_batch_file(self._spool / name)
        except FileNotFoundError:  # the cap, the user or a sender was quicker
            self.gone += 1
            yield Tried(name, None)
        except (OSError, MemoryError) as error:
            self.failed += 1
            yield Tried(name, f"Cannot read {self._spool / name}: {_why(error)}. It stays in the spool.")
        else:
            outcome = yield from self._outcome(name, content)
            yield Tried(name, self._account_for(name, content, outcome))

    def _outcome(self, name: str, content: bytes) -> Generator[Waiting, None, Outcome]:
        """What came of a batch after all tries that it is worth."""
        backoff = Backoff(time.monotonic, self._chance)
        for _ in range(self._retries):
            outcome = self._try(name, content)
            if not isinstance(outcome, Failed):
                return outcome
            backoff.failed(outcome.retry_after_s)
            yield Waiting(name, backoff.remaining_s, outcome.reason)
            self._sleep(backoff.remaining_s)
        return self._try(name, content)

    def _try(self, name: str, content: bytes) -> Outcome:
        outcome = self._try_once(name, content)
        # The login may have ended on the way, which can take hours.
        if isinstance(outcome, AuthRefused) and self._renew():
            return self._try_once(name, content)
        return outcome

    def _try_once(self, name: str, content: bytes) -> Outcome:
        outcome = self._blobs.send(content)
        return (
            self._transport.deliver(name[_BATCH_ID], content) if isinstance(outcome, Delivered) else outcome
        )

    # ---- what came of it ----

    def _account_for(self, name: str, content: bytes, outcome: Outcome) -> str | None:
        """Count and settle; returns what the user has to know."""
        if isinstance(outcome, Delivered):
            self._server_errors = 0
            self.uploaded += 1
            return self._put_away(name, content)
        self.failed += 1
        if isinstance(outcome, Rejected):
            self._server_errors = 0
            return self._set_aside(name, content, outcome)
        if self._concerns_all(outcome):
            self.stopped = outcome
        return self._said(name, outcome)

    def _concerns_all(self, outcome: Outcome) -> bool:
        """Whether the next batch would come to the same."""
        if not isinstance(outcome, Failed) or (outcome.status or 0) < 500:
            return True
        self._server_errors += 1
        return self._server_errors >= MAX_SERVER_ERRORS

    def _put_away(self, name: str, content: bytes) -> str | None:
        try:
            self._settlement.settle(name, content, Delivered())
        except FileNotFoundError:  # somebody else was quicker
            return None
        except OSError as error:
            self.undeleted += 1
            return (
                f"Uploaded {name} but failed to delete local spool file {self._spool / name}: {_why(error)}. "
                "It may be re-uploaded on next flush."
            )
        return None

    def _set_aside(self, name: str, content: bytes, outcome: Rejected) -> str:
        said = f"Server rejected {name} for good: {outcome.reason}"
        try:
            self._settlement.settle(name, content, outcome)
        except FileNotFoundError:
            return said
        except OSError as error:
            return f"{said}. {self._said_of_setting_aside(name)}: {_why(error)}"
        return f"{said}. It lies in {self._spool / 'rejected'} now, with the reason beside it."

    def _said_of_setting_aside(self, name: str) -> str:
        folder = self._spool / "rejected"
        if (self._spool / name).exists():
            return f"Setting it aside in {folder} failed"
        return f"It lies in {folder} now, but the reason could not be kept beside it"

    def _said(self, name: str, outcome: AuthRefused | NoRoute | Failed | Closed) -> str:
        match outcome:
            case AuthRefused(status):
                return f"Auth rejected ({status}) for {name}. Run cirron auth login."
            case NoRoute(404):
                return f"{self._said_of_route()} (404). Platform may not have shipped the route yet."
            case NoRoute(_, reason):
                return f"{self._said_of_route()} ({reason}). See cirron config --get apiUrl."
            case Failed(reason, _, status) if status is not None:
                return f"Server did not take {name}: {reason}"
        return f"Network error uploading {name}: {outcome.reason}"

    def _said_of_route(self) -> str:
        return f"Ingest route {self._transport.path} not available on {self._transport.endpoint}"


@contextmanager
def claimed(spool: Path, faults: Faults) -> Iterator[None]:
    """The right to send from a spool, for the length of the block.

    Raises:
        CirronError: another process has it, and keeps it; or nobody can have it.

    Example:
        with claimed(spool, faults):
            ...
    """
    # A spool that was taken out of its `.cirron` has nothing beside it that is ours.
    claim = SpoolClaim(spool.parent if spool.name == "spool" else spool, faults)
    try:
        _await(claim, spool, faults)
        yield
    finally:
        claim.release()


def _await(claim: SpoolClaim, spool: Path, faults: Faults) -> None:
    until_s = time.monotonic() + CLAIM_S
    while not claim.hold():
        if faults.counts().get(PLACE):
            raise CirronError(
                f"nothing was sent, as no other process could be kept from sending the same from {spool}: make its "
                "folder writable, or flush a copy of it"
            )
        if time.monotonic() >= until_s:
            raise CirronError(
                f"another process is sending from {spool}, so nothing was sent here: run this again once the other "
                "flush, or the program that records, has ended"
            )
        time.sleep(CLAIM_AGAIN_S)


def _why(error: OSError | MemoryError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "there is not enough memory"
