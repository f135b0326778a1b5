"""What the page about a run is a function of: its scopes, their marks and how it ended, as plain values.

    {"cirron_version": …,
     "run":      {"id", "run_id", "started_ns", "duration_ns", "overhead_ns", "ranks", "workers", "spans",
                  "sessions": [{"id", "rank", "worker", "host", "pid", "offset_ns", "duration_ns", "ended"}]},
     "left_out": {"scopes", "spans"},
     "paths":    [{"parent", "name", <figures>, "series": [{"name", "count", "last", "points"}]}],
     "scopes":   [{"parent", "path", <figures>, "index", "offset_ns", "end_ns", "attrs"}]}

    <figures>:  "count", "total_ns", "self_ns", "share", "mean_ns", "min_ns", "p50_ns", "p95_ns", "p99_ns", "max_ns",
                "open_count", "interrupted_count", "errors", "gpu_ns", "memory_peak_bytes", "rank_walls_ns"

A scope is one box of the picture, a path all scopes of one name below another path. Both are lists in which parents
come before their children and `parent` is a position: a tree without nesting, which is too deep for no parser. Instants
count from the start of the run, for a JavaScript number does not hold the nanoseconds since 1970.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cirron._version import __version__
from cirron.export.placing import Path, Place, place
from cirron.spool import Run, Session
from cirron.tree import Scope
from cirron.tree.series import Series
from cirron.tree.thinning import thinned

MOST_SCOPES = 10_000  # more would make the page slow, and be too narrow to see
MOST_POINTS = 400  # of one series; a chart is not much wider
ALL_POINTS = 200_000  # of all series together: some megabytes
MOST_TEXT = 200  # characters of an attribute or of a mark's value

Fields = dict[str, Any]


def profile(run: Run, sessions: Sequence[Session], top: Scope, now_ns: int = 0) -> Fields:
    """A run as values that JSON can hold.

    Args:
        run: says which sessions are ranks and which are workers.
        sessions: all that is known of each.
        top: holds the roots of them all, as `together` puts them.
        now_ns: how far the sessions that are live have come; by default to their last record.

    Example:
        fields = profile(chosen.run, chosen.sessions, outline_run(chosen.reader, chosen.run).top)
        slowest = max(fields["paths"], key=lambda path: path["self_ns"])
    """
    sessions = [_until(session, now_ns) for session in sessions]
    started_ns = min((session.started_ns for session in sessions), default=0)
    places, paths = place(top, MOST_SCOPES)
    return {
        "cirron_version": __version__,
        "run": _run(run, sessions, top, started_ns),
        "left_out": _left_out(top, places),
        "paths": _paths(paths, started_ns),
        "scopes": [_scope(each, started_ns) for each in places],
    }


def _until(session: Session, now_ns: int) -> Session:
    return replace(session, last_ns=max(session.last_ns, now_ns)) if session.ended == "live" else session


def _run(run: Run, sessions: Sequence[Session], top: Scope, started_ns: int) -> Fields:
    known = {session.id: session for session in sessions}
    last_ns = max((session.last_ns for session in sessions), default=started_ns)
    return {
        "id": run.ranks[0].id,
        "run_id": run.ranks[0].run_id,
        "started_ns": started_ns,
        "duration_ns": last_ns - started_ns,
        "overhead_ns": top.overhead_ns,
        "ranks": len(run.ranks),
        "workers": len(run.workers),
        "spans": top.span_count(),
        "sessions": [_session(known.get(session.id, session), started_ns) for session in run.sessions],
    }


def _session(session: Session, started_ns: int) -> Fields:
    return {
        "id": session.id,
        "rank": session.rank,
        "worker": session.worker,
        "host": session.host,
        "pid": session.pid,
        "offset_ns": session.started_ns - started_ns,
        "duration_ns": session.last_ns - session.started_ns,
        "ended": session.ended,
    }


def _left_out(top: Scope, places: Sequence[Place]) -> Fields:
    """What is not shown because there is so much else."""
    scopes = sum(1 for _ in top.walk()) - 1
    shown_spans = sum(each.scope.count for each in places)
    return {"scopes": scopes - len(places), "spans": top.span_count() - shown_spans}


def _scope(placed: Place, started_ns: int) -> Fields:
    scope = placed.scope
    return {
        "parent": placed.parent,
        "path": placed.path,
        **_figures(scope, scope.self_ns, placed.root.total_ns),
        "index": scope.index,
        "offset_ns": scope.start_ns - started_ns,
        "end_ns": scope.end_ns - started_ns if scope.end_ns else None,
        "attrs": {key: _text(value) for key, value in scope.attrs.items() if _is_users(key)},
    }


def _is_users(key: str) -> bool:
    """Whether an attribute is the user's own; what the others say is told in other ways."""
    return key != "error" and not key.startswith("cirron.")


def _paths(paths: Sequence[Path], started_ns: int) -> list[Fields]:
    united = [path.united() for path in paths]
    most = _points_each(united)
    wholes_ns: list[int] = []  # of each path, the time at the top of its tree
    found = []
    for path, scope in zip(paths, united, strict=True):
        wholes_ns.append(scope.total_ns if path.parent is None else wholes_ns[path.parent])
        self_ns = sum(member.self_ns for member in path.members)
        by_age = sorted(scope.series.items(), key=lambda named: named[1].first_ns)
        series = [_course(name, each, started_ns, most) for name, each in by_age]
        figures = _figures(scope, self_ns, wholes_ns[-1])
        found.append({"parent": path.parent, "name": scope.name, **figures, "series": series})
    return found


def _figures(scope: Scope, self_ns: int, whole_ns: int) -> Fields:
    ended = len(scope.walls_ns)
    least, p50, p95, p99, most = scope.percentiles_ns(0, 0.5, 0.95, 0.99, 1) if ended else [None] * 5
    return {
        "count": scope.count,
        "total_ns": scope.total_ns,
        "self_ns": self_ns,
        "share": scope.total_ns / whole_ns if whole_ns else 0,
        "mean_ns": scope.ended_ns / ended if ended else None,
        "min_ns": least,
        "p50_ns": p50,
        "p95_ns": p95,
        "p99_ns": p99,
        "max_ns": most,
        "open_count": scope.open_count,
        "interrupted_count": scope.interrupted_count,
        "errors": {_text(error): count for error, count in scope.errors.most_common()},
        "gpu_ns": scope.gpu_ns,
        "memory_peak_bytes": scope.memory_peak_bytes,
        "rank_walls_ns": dict(sorted(scope.rank_walls_ns.items())),
    }


def _points_each(scopes: Sequence[Scope]) -> int:
    """How many points a series may have, so that all of them together are not too many."""
    count = sum(len(scope.series) for scope in scopes)
    return max(2, min(MOST_POINTS, ALL_POINTS // max(1, count)))


def _course(name: str, series: Series, started_ns: int, most: int) -> Fields:
    last = series.last
    points = thinned(series.points(), most)
    return {
        "name": name,
        "count": series.count,
        "last": None if last is None else _text(last.value_nonfinite or last.value),
        "points": [[ts_ns - started_ns, value if math.isfinite(value) else None] for ts_ns, value in points],
    }


def _text(value: object) -> str | int | float | bool | None:
    """A value that shows; numbers as they are, all else as text that is not too long."""
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    text = str(value)
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"
