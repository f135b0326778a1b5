"""The batches that wait in a spool, and what becomes of each once it was tried."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from cirron.delivery.outcome import Delivered, Outcome, Rejected
from cirron.delivery.sent import SentFolder
from cirron.delivery.settlement import Settlement
from cirron.faults import Faults

LIST_AT_MOST_S = 1.0  # how often the directory is listed at most, unless asked to
LIST_SHARE = 0.02  # and how much of the time that may take, as a spool may hold 100,000 files
UNREADABLE_S = 60.0  # after which a file that could not be read is tried again


class SpoolQueue:
    """The files of one spool, oldest first; the directory is not listed for each of them.

    Args:
        spool_dir: where batches lie.
        sent: takes what was delivered while its session may still read it.
        faults: takes what goes wrong.
        removed: told the size of each batch that left the spool.
        clock: seconds on a clock that is never set.
    """

    def __init__(
        self,
        spool_dir: Path,
        sent: SentFolder,
        faults: Faults,
        removed: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spool_dir = spool_dir
        self._settlement = Settlement(spool_dir, sent, removed)
        self._faults = faults
        self._clock = clock
        self._names: deque[str] = deque()
        self._settled: set[str] = set()  # done with, though the system would not let them be removed
        self._unreadable: dict[str, float] = {}  # by name, until when to leave it alone
        self._list_again_s = clock()

    def __len__(self) -> int:
        """How many batches waited when the spool was last looked at."""
        return len(self._names)

    def first(self, *, anew: bool = False) -> str | None:
        """The name of the oldest batch that waits; None when there is none.

        Args:
            anew: look into the directory rather than wait for the next time this is due.
        """
        if not self._names:
            self.refresh(anew=anew)
        return self._names[0] if self._names else None

    def refresh(self, *, anew: bool = False) -> None:
        """List the directory, unless that was done a moment ago."""
        started_s = self._clock()
        if not anew and started_s < self._list_again_s:
            return
        self._names = deque(sorted(self._listed(started_s)))
        listed_s = self._clock()
        self._list_again_s = listed_s + max(LIST_AT_MOST_S, (listed_s - started_s) / LIST_SHARE)

    def read(self, name: str) -> bytes | None:
        """The batch; None when it is gone or cannot be read, and then it is no longer first."""
        from cirron.spool.files import read_batch_file

        try:
            return read_batch_file(self._spool_dir / name)
        except FileNotFoundError:  # the cap, another sender or the user was quicker
            self._pass_over(name)
        except (OSError, MemoryError) as error:
            self._faults.note(
                "unreadable batch", error, f"a batch cannot be read and is left out for now ({name})"
            )
            self._unreadable[name] = self._clock() + UNREADABLE_S
            self._pass_over(name)
        return None

    def settle(self, name: str, content: bytes, outcome: Outcome) -> None:
        """Do with the file what the outcome asks for; what was neither delivered nor rejected stays first."""
        if not isinstance(outcome, Delivered | Rejected):
            return
        self._pass_over(name)
        try:
            self._settlement.settle(name, content, outcome)
        except FileNotFoundError:  # the cap or the user was quicker
            pass
        except OSError as error:
            self._settled.add(name)
            self._faults.note(
                "settled batch",
                error,
                f"{_done(outcome)}, but {self._spool_dir / name} cannot be put in order; it is not sent again",
            )

    def _pass_over(self, name: str) -> None:
        if self._names and self._names[0] == name:
            self._names.popleft()

    def _listed(self, now_s: float) -> list[str]:
        from cirron.spool.files import BATCH_NAME

        self._unreadable = {name: until_s for name, until_s in self._unreadable.items() if until_s > now_s}
        left_out = self._settled | self._unreadable.keys()
        try:
            names = os.listdir(self._spool_dir)  # noqa: PTH208 - names, of perhaps 100,000 files
        except FileNotFoundError:  # nothing was spooled yet, or somebody removed it
            return []
        except OSError as error:
            self._faults.note(
                "spool listing", error, f"{self._spool_dir} cannot be listed, so nothing is sent"
            )
            return []
        return [name for name in names if BATCH_NAME.fullmatch(name) and name not in left_out]


def _done(outcome: Outcome) -> str:
    return "a batch was delivered" if isinstance(outcome, Delivered) else "a batch was rejected"
