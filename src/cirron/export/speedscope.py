"""The format `speedscope`: a flame graph a process, for https://www.speedscope.app.

https://www.speedscope.app/file-format-schema.json is the format's schema. Its sampled profiles are lists of stacks,
each with a weight; here a stack is where a scope lies, and its weight the time that the scope's spans spent outside of
the scopes below. Stacks stand in the order of time, so that the view of that name shows how the run went.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec

from cirron._version import __version__
from cirron.export.destination import Sink
from cirron.export.source import Source
from cirron.export.source_scopes import scopes_by_session
from cirron.spool import Session
from cirron.tree import Scope, units
from cirron.tree.rows import MOST_DEPTH

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

Frames = dict[str, int]  # the number of each name


def write_speedscope(source: Source, sink: Sink) -> None:
    """Write one profile for each rank and each worker.

    Args:
        source: the records, of which only scopes are kept in memory.
        sink: takes the document.
    """
    tops = scopes_by_session(source, time.time_ns(), marks=False)
    known = {session.id: session for session in source.sessions}
    frames: Frames = {}
    profiles = [
        _profile(known.get(session.id, session), tops[session.id], frames) for session in source.run.sessions
    ]
    document = {
        "$schema": SCHEMA,
        "exporter": f"cirron {__version__}",
        "name": f"cirron run {source.run.ranks[0].id[:8]}",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": name} for name in frames]},
        "profiles": profiles,
    }
    sink.write(msgspec.json.encode(document))


def _profile(session: Session, top: Scope, frames: Frames) -> dict[str, Any]:
    stacks = list(_stacks(top, frames))
    return {
        "type": "sampled",
        "name": _name(session),
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(weight_ns for _, weight_ns in stacks),
        "samples": [stack for stack, _ in stacks],
        "weights": [weight_ns for _, weight_ns in stacks],
    }


def _name(session: Session) -> str:
    """Which process it was, and how it ended if not well."""
    whose = f"rank {session.rank}" + ("" if session.worker is None else f", worker {session.worker}")
    where = f" on {session.host}" if session.host else ""
    how = "" if session.ended == "completed" else f": {session.ended}"
    return units.clean(f"{whose}{where}, process {session.pid}{how}")


def _stacks(top: Scope, frames: Frames) -> Iterator[tuple[list[int], int]]:
    """Each scope's stack with time that was spent in it alone; a scope comes again for each gap below it."""
    pending: list[tuple[list[int], int | Scope]] = [([], scope) for scope in reversed(top.in_order())]
    while pending:
        stack, item = pending.pop()
        if isinstance(item, int):
            yield stack, item
        else:
            inside = [*stack, frames.setdefault(_label(item), len(frames))]
            deepest = len(inside) > MOST_DEPTH
            course = [item.total_ns] if deepest else list(_course(item))
            pending.extend((inside, piece) for piece in reversed(course) if piece != 0)


def _course(scope: Scope) -> Iterator[int | Scope]:
    """What happened in a scope one after the other: the scopes below it, and the time between them.

    Of many spans together nobody can say when they were on their own; there that time comes last.
    """
    left_ns, reached_ns = scope.self_ns, scope.start_ns
    for below in scope.in_order():
        if scope.count == 1:
            gap_ns = min(left_ns, max(0, below.start_ns - reached_ns))
            yield gap_ns
            left_ns -= gap_ns
            reached_ns = max(reached_ns, below.end_ns)
        yield below
    yield left_ns


def _label(scope: Scope) -> str:
    """The name and, of a single span, its index: else neighbours would become one box."""
    name = units.clean(scope.name)
    return name if scope.index is None else f"{name}[{scope.index}]"
