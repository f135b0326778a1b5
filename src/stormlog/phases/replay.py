"""Phases afterwards: rebuilt from their boundaries, and asked which of them was active when.

The boundaries are telemetry events, in any order, of as many sessions and ranks as there are. Where one of the two is
missing, because the process was killed or the event made room for newer ones, the phase reaches to that end of its
session.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec
from msgspec import Struct

from cirron.spool.telemetry_event import TelemetryEvent
from stormlog.phases.runtime import PHASE_ENTER, PHASE_EXIT, PHASE_SCOPE

Key = tuple[str, int]
"""A session and a rank."""


class ReplayedPhase(Struct, frozen=True, kw_only=True, eq=False):
    """A phase from its entry to its exit.

    Args:
        session_id: the session it belongs to.
        rank: the rank of its process.
        thread_id: the thread that entered it.
        scope_id: its id within the session and rank.
        parent_scope_id: that of the phase around it; None for an outermost one.
        name: what it is called.
        path: the names from the outermost phase down to this one.
        attributes: what else was given at its entry.
        sequence: where its entry, or if that is missing its exit, stands among all boundaries of the recorder.
        start_ns: when it was entered, or where that is not known when its session began.
        end_ns: when it was left, or else when its session ended.
        enter: the event of its entry, None if that is missing.
        exit: the event of its exit, likewise.
    """

    session_id: str
    rank: int
    thread_id: int
    scope_id: str
    parent_scope_id: str | None
    name: str
    path: tuple[str, ...]
    attributes: dict[str, Any]
    sequence: int
    start_ns: int
    end_ns: int
    enter: TelemetryEvent | None
    exit: TelemetryEvent | None

    @property
    def is_start_synthetic(self) -> bool:
        """Whether the start is that of the session, because no entry was found."""
        return self.enter is None

    @property
    def is_end_synthetic(self) -> bool:
        """Whether the end is that of the session, because no exit was found."""
        return self.exit is None

    @property
    def duration_ns(self) -> int:
        """From start to end."""
        return self.end_ns - self.start_ns


class Attribution(Struct, frozen=True):
    """To which phase an event belongs.

    Args:
        kind: `unique`; `ambiguous` when several threads or tasks were in phases and nothing tells whose event it is;
            `unknown` when no phase was active.
        candidates: the innermost phases that it may belong to: one, several or none.
    """

    kind: Literal["unique", "ambiguous", "unknown"]
    candidates: tuple[ReplayedPhase, ...]

    @property
    def phase(self) -> ReplayedPhase | None:
        """The phase, where there is just one."""
        return self.candidates[0] if self.kind == "unique" else None


class PhaseReplay:
    """The phases of all the sessions and ranks in some telemetry events.

    Args:
        events: in any order; those between the boundaries tell how long the sessions lasted.

    Attributes:
        phases: by session, rank and start.
        problems: boundaries that could not be used, a line each.

    Example:
        replay = PhaseReplay(load_events("memory.jsonl"))
        for event in events:
            print(replay.attribute(event).kind)
    """

    def __init__(self, events: Iterable[TelemetryEvent]) -> None:
        self.problems: list[str] = []
        sessions: defaultdict[Key, _Session] = defaultdict(_Session)
        for event in events:
            problem = sessions[event.session_id, event.rank].add(event)
            if problem is not None:
                self.problems.append(problem)
        self._timelines = {key: _Timeline(session.phases()) for key, session in sorted(sessions.items())}
        self.phases = [phase for timeline in self._timelines.values() for phase in timeline.phases]

    def active_at(
        self,
        timestamp_ns: int,
        *,
        session_id: str | None = None,
        rank: int | None = None,
        thread_id: int | None = None,
    ) -> tuple[ReplayedPhase, ...]:
        """The phases that were active at an instant, for each session and rank the outermost first.

        A phase is active from its start to just before its end; one whose end is its session's, to the end.

        Args:
            timestamp_ns: the instant.
            session_id: only of this session.
            rank: only of this rank.
            thread_id: only those that this thread entered.
        """
        return tuple(
            phase
            for (of_session, of_rank), timeline in self._timelines.items()
            if session_id in (None, of_session) and rank in (None, of_rank)
            for phase in timeline.active_at(timestamp_ns)
            if thread_id in (None, phase.thread_id)
        )

    def attribute(self, event: TelemetryEvent) -> Attribution:
        """The phase that an event belongs to: a boundary to its own, any other to the innermost one of its time.

        An event that names a thread, as `thread_id` in its metadata, belongs to a phase of that thread.
        """
        timeline = self._timelines.get((event.session_id, event.rank))
        if timeline is None:
            return Attribution("unknown", ())
        own = timeline.phase_of(event)
        if own is not None:
            return Attribution("unique", (own,))
        thread_id = event.metadata.get("thread_id")
        active = timeline.active_at(event.timestamp_ns)
        candidates = timeline.innermost([each for each in active if thread_id in (None, each.thread_id)])
        return Attribution(("unknown", "unique", "ambiguous")[min(len(candidates), 2)], candidates)


class _Scope(Struct):
    """What the metadata of a boundary must hold."""

    scope_id: str
    name: str
    path: tuple[str, ...]
    parent_scope_id: str | None
    thread_id: int
    sequence: int
    attributes: dict[str, Any] = {}


class _Boundary(Struct):
    """A boundary that makes sense."""

    event: TelemetryEvent
    scope: _Scope


class _Session:
    """The boundaries of one session and rank, as they come."""

    def __init__(self) -> None:
        self._enters: dict[str, _Boundary] = {}
        self._exits: dict[str, _Boundary] = {}
        self._first_ns: int | None = None
        self._last_ns = 0

    def add(self, event: TelemetryEvent) -> str | None:
        """Take an event; returns what is wrong with it, if anything is."""
        timestamp_ns = event.timestamp_ns
        self._first_ns = timestamp_ns if self._first_ns is None else min(self._first_ns, timestamp_ns)
        self._last_ns = max(self._last_ns, timestamp_ns)
        if event.event_type not in (PHASE_ENTER, PHASE_EXIT):
            return None
        try:
            scope = msgspec.convert(event.metadata.get(PHASE_SCOPE), _Scope)
        except msgspec.ValidationError as error:
            return f"{_where(event)}: metadata.{PHASE_SCOPE}: {error}"
        boundaries = self._enters if event.event_type == PHASE_ENTER else self._exits
        known = boundaries.setdefault(scope.scope_id, _Boundary(event, scope))
        if known.event is not event and known.event != event:
            return f"{_where(event)}: {scope.scope_id} has this boundary twice, and not the same; the first counts"
        return None

    def phases(self) -> Iterator[ReplayedPhase]:
        """What the boundaries make, in no particular order."""
        for scope_id in {**self._enters, **self._exits}:
            yield self._phase(self._enters.get(scope_id), self._exits.get(scope_id))

    def _phase(self, enter: _Boundary | None, leave: _Boundary | None) -> ReplayedPhase:
        known = enter or leave
        assert known is not None
        assert self._first_ns is not None
        scope, event = known.scope, known.event
        start_ns = enter.event.timestamp_ns if enter is not None else self._first_ns
        end_ns = leave.event.timestamp_ns if leave is not None else self._last_ns
        return ReplayedPhase(
            session_id=event.session_id,
            rank=event.rank,
            thread_id=scope.thread_id,
            scope_id=scope.scope_id,
            parent_scope_id=scope.parent_scope_id,
            name=scope.name,
            path=scope.path,
            attributes=scope.attributes,
            sequence=scope.sequence,
            start_ns=start_ns,
            end_ns=max(start_ns, end_ns),
            enter=enter.event if enter is not None else None,
            exit=leave.event if leave is not None else None,
        )


class _Timeline:
    """The phases of one session and rank, and which were active between any two boundaries."""

    def __init__(self, phases: Iterable[ReplayedPhase]) -> None:
        self.phases = sorted(phases, key=lambda phase: (phase.start_ns, len(phase.path), phase.sequence))
        self._by_id = {phase.scope_id: phase for phase in self.phases}
        self._starts_ns = [phase.start_ns for phase in self.phases]
        self._first_leaf = 1 << max(0, len(self.phases) - 1).bit_length()
        self._latest_ns = self._latest_ends()

    def active_at(self, timestamp_ns: int) -> tuple[ReplayedPhase, ...]:
        """Those active at an instant, in the order of their starts."""
        return tuple(self._active(timestamp_ns, bisect_right(self._starts_ns, timestamp_ns)))

    def phase_of(self, event: TelemetryEvent) -> ReplayedPhase | None:
        """The phase that `event` is a boundary of."""
        if event.event_type not in (PHASE_ENTER, PHASE_EXIT):
            return None
        scope = event.metadata.get(PHASE_SCOPE)
        scope_id = scope.get("scope_id") if isinstance(scope, dict) else None
        return self._by_id.get(scope_id) if isinstance(scope_id, str) else None

    def innermost(self, phases: list[ReplayedPhase]) -> tuple[ReplayedPhase, ...]:
        """Those of `phases` that lie around none of the others."""
        outer = {above.scope_id for phase in phases for above in self._above(phase)}
        return tuple(phase for phase in phases if phase.scope_id not in outer)

    def _above(self, phase: ReplayedPhase) -> Iterator[ReplayedPhase]:
        """The phases around a phase; one in between may have ended while a task went on in this one."""
        above = self._by_id.get(phase.parent_scope_id or "")
        while (
            above is not None
            and above.path == phase.path[: len(above.path)]
            and len(above.path) < len(phase.path)
        ):
            yield above
            phase, above = above, self._by_id.get(above.parent_scope_id or "")

    def _latest_ends(self) -> list[int]:
        """A tree whose leaves are the ends of the phases; each node has the latest of the two below it.

        A list of what is active from each boundary on would answer faster, but thousands of tasks at a time would
        make it larger than any memory.
        """
        leaves = [phase.end_ns + (1 if phase.is_end_synthetic else 0) for phase in self.phases]
        latest_ns = [0] * self._first_leaf + leaves + [0] * (self._first_leaf - len(leaves))
        for node in range(self._first_leaf - 1, 0, -1):
            latest_ns[node] = max(latest_ns[2 * node], latest_ns[2 * node + 1])
        return latest_ns

    def _active(self, timestamp_ns: int, count: int) -> Iterator[ReplayedPhase]:
        """Of the first `count` phases those that end after an instant."""
        nodes = [(1, 0, self._first_leaf)]
        while nodes:
            node, first, width = nodes.pop()
            if first >= count or self._latest_ns[node] <= timestamp_ns:
                continue
            if width == 1:
                yield self.phases[first]
            else:
                half = width // 2
                nodes += (
                    (2 * node + 1, first + half, half),
                    (2 * node, first, half),
                )  # the left one comes first


def _where(event: TelemetryEvent) -> str:
    return f"session {event.session_id}, rank {event.rank}, {event.event_type} at {event.timestamp_ns}"
