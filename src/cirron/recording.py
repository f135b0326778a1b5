"""One session while it lasts: its folders, its recorder and its writer."""

from __future__ import annotations

import functools
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cirron._recorder import Recorder
from cirron._version import __version__
from cirron.faults import Faults
from cirron.launcher import Placement, placement
from cirron.overhead import calibrate
from cirron.settings import Settings, resolve, user_config_file
from cirron.writer import Drain, Writer

if TYPE_CHECKING:
    from cirron.spool import Batch

MAX_FIELD_CHARACTERS = 256  # of a run id or host name: all fields together have room for 4 KiB in the journal


class _Parts(NamedTuple):
    """What is at work while a session lasts."""

    recorder: Recorder
    drain: Drain
    writer: Writer


class Recording:
    """A live session; after `close`, what can still be read of it.

    Attributes:
        settings: as resolved at the start.
        session_id: 32 hex digits.
    """

    def __init__(self, settings: Settings, place: Placement, faults: Faults) -> None:
        self.settings = settings
        self._faults = faults
        self._started_ns = time.time_ns()
        self._make_folders()
        self._recovered = self._seal_dead_journals()
        self._last_facts: dict[str, Any] = {}
        recorder = self._make_recorder(batch_fields(place, settings.run_id), place.rank)
        recorder.set_overhead(*calibrate())
        self.session_id = recorder.session_id
        drain = Drain(recorder, faults)
        writer = Writer(recorder, drain, settings.flush_interval, faults)
        writer.start()
        self._pid = os.getpid()
        self._parts: _Parts | None = _Parts(recorder, drain, writer)

    @property
    def recorder(self) -> Recorder | None:
        """What records; None once closed, and in a forked child, whose parent's session it is."""
        live = self._live
        return None if live is None else live.recorder

    @property
    def is_parents(self) -> bool:
        """Whether a fork lies between this session and the calling process."""
        return os.getpid() != self._pid

    @property
    def _live(self) -> _Parts | None:
        return None if self.is_parents else self._parts

    def flush(self) -> None:
        """Return when everything closed or marked before the call is on disk."""
        live = self._live
        if live is not None:
            live.drain.once(block=True)

    def close(self, ended: str) -> None:
        """End the session: seal all records and remove the journal. Idempotent."""
        live = self._live
        if live is None:
            return
        live.writer.stop()
        live.drain.once(block=True)
        try:
            live.recorder.close(ended)
        except Exception as error:  # noqa: BLE001 - the program ends as it would have without us
            self._faults.note("close", error, "the last batch could not be written")
        self._last_facts = self._facts(live)
        self._parts = None  # the recorder's memory is free from here on, even while a handle is kept

    def facts(self) -> dict[str, Any]:
        """The part of `health()` that belongs to this session; after its end, as it was then."""
        live = self._live
        return self._last_facts if live is None else self._facts(live)

    def _facts(self, live: _Parts) -> dict[str, Any]:
        counters = live.recorder.counters()
        return {
            "scope_depth": live.recorder.depth(),
            "mark_drop_count": counters["marks_dropped"],
            "span_drop_count": counters["spans_dropped"],
            "scope_drop_count": counters["scopes_too_deep"],
            "mark_reject_count": counters["marks_rejected"],
            "drops_by_thread": counters["threads"],
            "deferred_count": live.drain.deferred_count,
            "seal_failure_count": counters["seal_failures"],
            "flush_latency_ns": live.drain.latency_ns,
            "spool_bytes": _spool_bytes(self.settings.spool_dir),
            "internal_errors": counters["internal_errors"],
            "journal": live.recorder.journal_kind,
            "recovered_sessions": self._recovered,
            "session_id": self.session_id,
            "spool_dir": str(self.settings.spool_dir),
        }

    def read_back(self) -> list[Batch]:
        """What was recorded so far: the sealed batches, and one of the spans that are still open."""
        from cirron.readback import batch_of_open_spans, sealed_batches

        recorder = self.recorder
        # Before the drain: a span that closes in between then comes twice, and never not at all.
        open_spans = b"[]" if recorder is None else recorder.open_spans()
        self.flush()
        batches = [batch_of_open_spans(open_spans, self.session_id)]
        try:
            batches += sealed_batches(self.settings.spool_dir, self.session_id, self._started_ns)
        except OSError as error:
            self._faults.note("read back", error, "the spool could not be read")
        return batches

    def _make_folders(self) -> None:
        try:
            self.settings.spool_dir.mkdir(parents=True, exist_ok=True)
            self.settings.journal_dir.mkdir(exist_ok=True)
        except OSError as error:
            where = self.settings.output_dir
            self._faults.note(
                "folders", error, f"{where} cannot be used, so nothing is kept; pass another `path`"
            )

    def _seal_dead_journals(self) -> list[str]:
        from cirron.spool.problem import Problem
        from cirron.spool.recover import seal_dead_journals

        if not self.settings.journal_dir.is_dir():
            return []
        try:
            outcomes = seal_dead_journals(self.settings.spool_dir)
        except Exception as error:  # noqa: BLE001 - an old journal must not keep a new session from starting
            self._faults.note("recovery", error, "journals of earlier sessions could not be looked at")
            return []
        for problem in (outcome for outcome in outcomes if isinstance(outcome, Problem)):
            self._faults.warn(str(problem))
        return [outcome.session_id for outcome in outcomes if not isinstance(outcome, Problem)]

    def _make_recorder(self, fields: bytes, rank: int) -> Recorder:
        make = functools.partial(
            Recorder,
            spool_dir=str(self.settings.spool_dir),
            batch_fields=fields,
            rank=rank,
            ring_marks=self.settings.ring_marks,
            batch_max_bytes=self.settings.batch_max_bytes,
            fsync=self.settings.fsync,
        )
        try:
            return make(journal_dir=str(self.settings.journal_dir))
        except OSError as error:
            self._faults.note("journal", error, "there is no journal, so a kill loses the last records")
            return make(journal_dir=None)


def start(given: Mapping[str, Any], faults: Faults) -> Recording:
    """Begin a session.

    Args:
        given: explicit settings by name, checked.
        faults: takes whatever goes wrong.

    Raises:
        Exception: no recorder could be made, for want of memory or because too many are alive.
    """
    settings, doubts = resolve(given, os.environ, user_config_file())
    place, more_doubts = placement(os.environ)
    for doubt in doubts + more_doubts:
        faults.warn(doubt)
    return Recording(settings, place, faults)


def batch_fields(place: Placement, run_id: str | None) -> bytes:
    """What each batch of the session says about its process, as JSON members without the braces."""
    import msgspec

    run_id = run_id or place.run_id
    fields = {
        "sdk_version": __version__,
        "run_id": run_id[:MAX_FIELD_CHARACTERS] if run_id else None,
        "host": socket.gethostname()[:MAX_FIELD_CHARACTERS],
        "pid": os.getpid(),
        "rank": place.rank,
        "local_rank": place.local_rank,
        "world_size": place.world_size,
        "worker": None,
    }
    return msgspec.json.encode(fields)[1:-1]


def _spool_bytes(spool_dir: Path) -> int:
    from cirron.spool.files import list_files

    return sum(file.size_bytes for file in list_files(spool_dir)) if spool_dir.is_dir() else 0
