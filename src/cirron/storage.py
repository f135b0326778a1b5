"""Where a session's records lie: the folders, what dead sessions left in them, and the recorder above them."""

from __future__ import annotations

import functools
import os
import socket
from typing import Any

from cirron._recorder import Recorder
from cirron._version import __version__
from cirron.delivery import transport_name
from cirron.faults import SPOOL, Faults, way_out
from cirron.launcher import Placement
from cirron.settings import KIB, Settings
from cirron.spool.cap import SpoolCap
from cirron.workers import Lineage

MAX_FIELD_CHARACTERS = 256  # of a run id or host name: all fields together have room for 4 KiB in the journal


LINE_MAX_BYTES = 512 * KIB  # a line of the event stream shall fit into a pipe at once


class Storage:
    """The folders of one session.

    Attributes:
        has_spool: whether batches are files at all; not with local sinks alone, which take them from memory.
        has_folders: whether the folders for them could be made.
    """

    def __init__(self, settings: Settings, faults: Faults) -> None:
        self._settings = settings
        self._faults = faults
        self.has_spool = "spool" in settings.output or transport_name(settings) != "file_only"
        self.has_folders = self.has_spool and self._make_folders()

    def _make_folders(self) -> bool:
        try:
            self._settings.spool_dir.mkdir(parents=True, exist_ok=True)
            self._settings.journal_dir.mkdir(exist_ok=True)
        except OSError as error:
            consequence = f"{self._settings.output_dir} cannot be used, so nothing is kept until it can"
            self._faults.note(SPOOL, error, f"{consequence} ({way_out(error)})")
            return False
        return True

    def recover(self) -> list[str]:
        """Seal what dead sessions left in their journals; the ids of these sessions."""
        from cirron.spool.problem import Problem
        from cirron.spool.recover import seal_dead_journals

        if not self.has_folders:
            return []
        try:
            outcomes = seal_dead_journals(self._settings.spool_dir)
        except OSError as error:
            consequence = "journals of earlier sessions could not be looked at"
            self._faults.note(SPOOL, error, f"{consequence} ({way_out(error)})")
            return []
        except Exception as error:  # noqa: BLE001 - an old journal must not keep a new session from starting
            self._faults.note("recovery", error, "journals of earlier sessions could not be looked at")
            return []
        for problem in (outcome for outcome in outcomes if isinstance(outcome, Problem)):
            self._faults.warn(str(problem))
        return [outcome.session_id for outcome in outcomes if not isinstance(outcome, Problem)]

    def make_recorder(self, place: Placement, lineage: Lineage | None) -> Recorder:
        """A recorder into these folders; without a journal where none can be had.

        Raises:
            RuntimeError, MemoryError: too many recorders are alive, or memory is out.
        """
        settings = self._settings
        make = functools.partial(
            Recorder,
            spool_dir=str(settings.spool_dir) if self.has_spool else "",
            batch_fields=batch_fields(place, settings.run_id, lineage),
            rank=place.rank,
            ring_marks=settings.ring_marks,
            batch_max_bytes=self._batch_max_bytes(),
            fsync=settings.fsync,
            keep_batches=any(sink in settings.output for sink in ("log", "stdout")),
        )
        if not self.has_folders:
            return make(journal_dir=None)
        try:
            return make(journal_dir=str(settings.journal_dir))
        except OSError as error:
            self._faults.note(
                SPOOL, error, f"there is no journal, so a kill loses the last records ({way_out(error)})"
            )
            return make(journal_dir=None)

    def _batch_max_bytes(self) -> int:
        """As large as batches may be without one of them being a good part of the spool, or too long a line."""
        is_line = transport_name(self._settings) == "event_stream"
        most_bytes = min(
            LINE_MAX_BYTES if is_line else self._settings.batch_max_bytes, self._settings.spool_max_bytes // 8
        )
        return max(64 * KIB, most_bytes)

    def make_cap(self) -> SpoolCap | None:
        """What keeps the spool within its size, even one that can be made only later; None where there is none."""
        if not self.has_spool:
            return None
        cap = SpoolCap(self._settings.output_dir, self._settings.spool_max_bytes, self._faults)
        cap.start()
        return cap


def batch_fields(place: Placement, run_id: str | None, lineage: Lineage | None) -> bytes:
    """What each batch of the session says about its process, as JSON members without the braces."""
    import msgspec

    run_id = run_id or place.run_id
    fields: dict[str, Any] = {
        "sdk_version": __version__,
        "run_id": run_id[:MAX_FIELD_CHARACTERS] if run_id else None,
        "host": socket.gethostname()[:MAX_FIELD_CHARACTERS],
        "pid": os.getpid(),
        "rank": place.rank,
        "local_rank": place.local_rank,
        "world_size": place.world_size,
        "worker": lineage.worker[:MAX_FIELD_CHARACTERS] if lineage else None,
        "parent_session_id": lineage.parent_session_id if lineage else None,
    }
    return msgspec.json.encode(fields)[1:-1]
