"""One session of a tracker: from its start to its stop, in one process."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from cirron import _recorder
from cirron.faults import Faults
from cirron.spool.telemetry_event import SAMPLE, SCHEMA_VERSION, TelemetryEvent
from stormlog.alerts import Alarm
from stormlog.collectors import LIMIT, TRACKER_BYTES, Collector, Reading
from stormlog.followed_scopes import Leave
from stormlog.history import EventHistory
from stormlog.ledger import Ledger
from stormlog.oom import OomRecorder
from stormlog.peaks import Crest
from stormlog.phase_memory import CANCELLED, PHASE_MEMORY, Entry, difference, marks, phase_memory
from stormlog.phases.runtime import PhaseBoundary, PhaseHandle, PhaseProtocolError, PhaseRecorder, PhaseToken
from stormlog.plain import plain
from stormlog.sampler import Sampler
from stormlog.tracker_settings import TrackerSettings

NOTHING: Mapping[str, Any] = MappingProxyType({})

_encode = msgspec.json.Encoder().encode


class Taken(NamedTuple):
    """A reading, when it was taken, and its position in the crest."""

    timestamp_ns: int
    reading: Reading
    position: int


class OpenPhase(NamedTuple):
    """What it takes to leave a phase.

    Args:
        token: for the recorder.
        entry: the memory when it was entered.
        scope: the same phase in the program's tree.
        handled: the id of the exception that was being handled already.
    """

    token: PhaseToken
    entry: Entry
    scope: _recorder.Scope
    handled: int


class TrackingSession:
    """Takes samples, enters phases, and makes events of both, which go into the spool of the program's session too.

    Args:
        settings: of the tracker.
        collector: reads the memory.
        history: gets the events.
        recorder: of the phases.
        faults: counts what goes wrong.
    """

    def __init__(
        self,
        settings: TrackerSettings,
        collector: Collector,
        history: EventHistory,
        recorder: PhaseRecorder,
        faults: Faults,
    ) -> None:
        self.session_id = uuid.uuid4().hex
        self._settings = settings
        self._collector = collector
        self._history = history
        self._recorder = recorder
        self._faults = faults
        self._pid = os.getpid()
        self._host = socket.gethostname()
        self._wall_ns = time.time_ns() - time.monotonic_ns()  # so that no clock change turns time back
        self._crest = Crest()
        self._alarm = Alarm(settings.warning_share, settings.critical_share, settings.on_alert, faults)
        self._ledger = Ledger()
        self._oom = OomRecorder(settings.oom_dir, settings.critical_share, history, self._ledger, faults)
        self.look_at = self._oom.look_at
        self._opening = threading.local()  # whether a scope is being opened for a phase
        self._followed: dict[str, tuple[PhaseToken, Entry]] = {}
        self._lock = threading.RLock()
        self._last_allocated_bytes: int | None = None
        self._sampler = Sampler(settings.sampling_interval_ms / 1000, self.sample)

    def begin(self) -> None:
        """Take the first sample, and more from now on."""
        self._add(SAMPLE, self._read(thorough=True), "tracking started", {})
        self._sampler.start()

    def end_with_program(self) -> None:
        """As `end`, where the tracker was never stopped; the exception that ended the program may be about memory."""
        if self._is_ours() and not hasattr(sys, "ps1"):
            self.look_at(getattr(sys, "last_exc", None) or getattr(sys, "last_value", None))
        self.end()

    def end(self) -> None:
        """Take the last sample. In a process forked from the session's own there is nothing to end."""
        if not self._is_ours():
            return
        if self._sampler.stop():
            self._add(SAMPLE, self._read(thorough=True), "tracking stopped", {})
            self._close_collector()
        else:  # another reading would hang likewise
            hanging = TimeoutError(f"reading the memory of {self._collector.name} has not come back")
            self._faults.note("sampling", hanging, "the last sample was not taken")

    def sample(self) -> None:
        """Read the memory, as the sampler does; near the end of the memory even that may fail."""
        try:
            taken = self._read(thorough=True)
            self._add(SAMPLE, taken, None, {})
            self._oom.check(taken.reading.used_share if LIMIT in taken.reading.facts else None)
        except Exception as error:  # noqa: BLE001 - the sampler's thread must outlive it
            self._faults.note("sampling", error, "a sample of the memory was not taken")

    def enter(self, name: str, metadata: Mapping[str, Any] | None) -> PhaseHandle:
        """Enter a phase, with the memory as it is now.

        Raises:
            ValueError: the name or the metadata cannot be used.
        """
        attributes = _attributes(metadata)
        token, boundary, entry = self._enter(name, attributes)
        scope = _recorder.scope(token.name, **(attributes or {}))
        self._opening.scope = True
        try:
            scope.__enter__()
        finally:
            self._opening.scope = False
        return PhaseHandle(
            scope_id=token.scope_id,
            name=token.name,
            path=boundary.path,
            close_callback=partial(self._leave, OpenPhase(token, entry, scope, id(sys.exception()))),
        )

    def follow(self, name: str) -> Leave | None:
        """Enter a phase for a scope that was opened; one that was opened for a phase has it already."""
        if getattr(self._opening, "scope", False) or not self._is_ours():
            return None
        token, _, entry = self._enter(name, None)
        self._followed[token.scope_id] = token, entry
        return partial(self._leave_followed, token)

    def _enter(self, name: str, attributes: dict[str, Any] | None) -> tuple[PhaseToken, PhaseBoundary, Entry]:
        taken = self._read(thorough=False)
        token, boundary = self._recorder.enter(
            session_id=self.session_id, rank=self._settings.rank, name=name, attrs=attributes
        )
        self._add(boundary.event_type, taken, boundary.context, boundary.metadata)
        reading = taken.reading
        entry = Entry(taken.position, reading.allocated_bytes, reading.peak_bytes, self._begin_peak())
        self._ledger.enter(boundary, entry.allocated_bytes)
        return token, boundary, entry

    def _leave_followed(self, token: PhaseToken, is_cancelled: bool) -> tuple[tuple[str, Any], ...] | None:
        """Leave the phase of a scope. Scopes may close in any order; those within it are left as phases first.

        A hook may find that the scope never was one, as with a step whose batch does not come; then the exit says so.
        """
        if not self._is_ours():
            return None
        for scope_id in self._recorder.entered_since(token):
            if scope_id in self._followed:
                self._exit(*self._followed.pop(scope_id))
        if token.scope_id not in self._followed:
            return None
        try:
            more = {CANCELLED: True} if is_cancelled else {}
            _, memory = self._exit(*self._followed.pop(token.scope_id), more)
        except PhaseProtocolError as error:
            self._faults.note("scopes", error, "the phase of a scope stays open")
            return None
        return marks(memory)

    def _leave(self, phase: OpenPhase) -> PhaseBoundary | None:
        """Leave a phase, with the memory as it is now; one that was open before a fork is the parent's to leave."""
        if not self._is_ours():
            return None
        error = sys.exception()
        error = None if id(error) == phase.handled else error
        self.look_at(error)  # while the phase is still open
        boundary, memory = self._exit(phase.token, phase.entry)
        _close(phase, memory, error)
        return boundary

    def _exit(
        self, token: PhaseToken, entry: Entry, more: Mapping[str, Any] = NOTHING
    ) -> tuple[PhaseBoundary, dict[str, Any]]:
        taken = self._read(thorough=False)
        boundary = self._recorder.exit(token)
        told_bytes = self._end_peak(entry.watched)
        memory = phase_memory(entry, taken.reading, self._crest.since(entry.position), told_bytes)
        self._ledger.leave(boundary, memory)
        metadata = {**boundary.metadata, PHASE_MEMORY: memory, **more}
        self._add(boundary.event_type, taken, boundary.context, metadata)
        return boundary, memory

    def _begin_peak(self) -> Any:
        try:
            return self._collector.begin_peak()
        except Exception as error:  # noqa: BLE001 - a release of torch that nobody here has seen
            self._faults.note("collector", error, "peaks are the highest of the readings")
            return None

    def _end_peak(self, begun: Any) -> int | None:
        try:
            return None if begun is None else self._collector.end_peak(begun)
        except Exception as error:  # noqa: BLE001 - the device may be gone
            self._faults.note("collector", error, "a peak is the highest of the readings")
            return None

    def _close_collector(self) -> None:
        try:
            self._collector.close()
        except Exception as error:  # noqa: BLE001 - as above
            self._faults.note("collector", error, "the peaks of phases that are open were not told")

    def _is_ours(self) -> bool:
        return os.getpid() == self._pid

    def _read(self, *, thorough: bool) -> Taken:
        """When, what, and where in the crest; a collector that fails gives an empty reading."""
        try:
            reading = self._collector.read(thorough)
        except Exception as error:  # noqa: BLE001 - drivers raise whatever they like, and devices vanish
            self._faults.note("collector", error, f"the memory of {self._collector.name} could not be read")
            reading = Reading(problem=str(error) or type(error).__name__)
        else:
            self._look_at(reading)
        timestamp_ns = self._wall_ns + time.monotonic_ns()
        return Taken(timestamp_ns, reading, self._crest.note(reading.allocated_bytes))

    def _look_at(self, reading: Reading) -> None:
        if reading.problem is None:
            self._faults.over("collector")
        else:
            self._faults.note("collector", RuntimeError(reading.problem), "the memory was read in part")

    def _add(
        self,
        event_type: str,
        taken: Taken,
        context: str | None,
        metadata: dict[str, Any],
    ) -> None:
        with self._lock:
            event = self._event(event_type, taken, context, metadata)
            record = _encode(event)
            self._history.add(record)
        _recorder.add_memory(record)
        self._alarm.check(taken.reading.used_share, event)

    def _event(
        self,
        event_type: str,
        taken: Taken,
        context: str | None,
        metadata: dict[str, Any],
    ) -> TelemetryEvent:
        reading = taken.reading
        problem = {} if reading.problem is None else {"problem": reading.problem}
        return TelemetryEvent(
            schema_version=SCHEMA_VERSION,
            timestamp_ns=taken.timestamp_ns,
            event_type=event_type,
            collector=self._collector.name,
            sampling_interval_ms=self._settings.sampling_interval_ms,
            pid=self._pid,
            host=self._host,
            device_id=self._collector.device_id,
            allocator_allocated_bytes=reading.allocated_bytes,
            allocator_reserved_bytes=reading.reserved_bytes,
            allocator_active_bytes=reading.active_bytes,
            allocator_inactive_bytes=reading.inactive_bytes,
            allocator_change_bytes=self._change(reading.allocated_bytes),
            device_used_bytes=reading.device_used_bytes,
            device_free_bytes=reading.device_free_bytes,
            device_total_bytes=reading.device_total_bytes,
            context=context,
            metadata={**metadata, **reading.facts, **self._of_tracker(), **problem},
            job_id=self._settings.job_id,
            rank=self._settings.rank,
            local_rank=self._settings.local_rank,
            world_size=self._settings.world_size,
            session_id=self.session_id,
        )

    def _of_tracker(self) -> dict[str, int]:
        """What of a reading of the host is the tracker's own, and grows until its history is full."""
        return {TRACKER_BYTES: self._history.held_bytes} if self._collector.device_id is None else {}

    def _change(self, allocated_bytes: int | None) -> int | None:
        """Since the event before that knew; None as long as there is nothing to compare."""
        if allocated_bytes is None:
            return None
        before_bytes, self._last_allocated_bytes = self._last_allocated_bytes, allocated_bytes
        return difference(allocated_bytes, before_bytes)


def _close(phase: OpenPhase, memory: dict[str, Any], error: BaseException | None) -> None:
    """End the scope of a phase, with what the phase did to the memory, and the exception that leaves it."""
    for name, value in marks(memory):
        phase.scope._summarize(name, value)
    phase.scope.__exit__(None if error is None else type(error), None, None)


def _attributes(metadata: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the user tells of a phase, as JSON can hold it."""
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        raise ValueError(  # noqa: TRY004 - as for every wrong argument of the tracker
            f"metadata={metadata!r}: accepted are None, and a dict of what is to be known of the phase"
        )
    return {str(name): plain(value) for name, value in metadata.items()}
