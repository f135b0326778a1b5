"""Scopes as a table: one row a path, whatever stands one by one in the tree taken together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from cirron.spool.records import SESSION_NAME
from cirron.tree.path_text import SEPARATOR
from cirron.tree.scope import Scope

CUT = "…"
DEEPEST = 100  # names of a path that are told; the recorder itself stops at 64, a damaged file may not


@dataclass(frozen=True, slots=True)
class FlatRow:
    """What all spans of one path took.

    Attributes:
        path: the names from the top down, without the session's own.
        count: how many spans.
        total_ns: time in them; at least, where some have no end.
        self_ns: the part of it that no scope below accounts for.
        mean_ns: of the spans that have an end, if any has.
        p50_ns, p95_ns, p99_ns: durations that occurred; None where no span has an end.
        share: of the time of all roots, the part that is spent in this path itself; scopes that ran beside each other
            share the time of the one around them.
        unfinished_count: spans without an end.
    """

    path: tuple[str, ...]
    count: int
    total_ns: int
    self_ns: int
    mean_ns: float
    p50_ns: int | None
    p95_ns: int | None
    p99_ns: int | None
    share: float
    unfinished_count: int

    @property
    def name(self) -> str:
        """The path in one text."""
        return SEPARATOR.join(self.path)


def flat_rows(top: Scope) -> list[FlatRow]:
    """One row a path, those that took the most time themselves first.

    Args:
        top: of an outline in which few = 1, so that each path is one scope.

    Example:
        slowest = flat_rows(outline_run(reader, run, Shape(few=1, marks=False)).top)[0]
    """
    whole_ns = sum(scope.total_ns for scope in top.scopes())
    rows = [_row(place, whole_ns) for place in paths(top)]
    return sorted(rows, key=lambda row: (-row.share, -row.self_ns, row.path))


class Place(NamedTuple):
    """A scope among the others.

    Attributes:
        path: the names from the top down; the session's own is left out of all paths but its own.
        scope: what is there.
        weight: how much of its time counts: scopes that ran beside each other share the time of the one around them,
            and what one that outlived it took afterwards does not count.
    """

    path: tuple[str, ...]
    scope: Scope
    weight: float

    @property
    def share_ns(self) -> float:
        """The time spent in the scope itself; those of all places add up to the time of the roots, or less."""
        return self.scope.self_ns * self.weight


def paths(top: Scope) -> Iterator[Place]:
    """Every scope below, parents first."""
    pending = [Place((scope.name,), scope, 1.0) for scope in top.in_order()]
    while pending:
        place = pending.pop()
        yield place
        above = () if place.path == (SESSION_NAME,) else place.path
        weight = place.weight * _fitting(place.scope)
        pending.extend(
            Place(_longer(above, child.name), child, weight * _inside(child))
            for child in place.scope.scopes()
        )


def _fitting(scope: Scope) -> float:
    """What the times of the scopes below are to be multiplied with so that they fit into this one's."""
    below_ns = scope.below_ns
    return min(1.0, scope.total_ns / below_ns) if below_ns > 0 else 1.0


def _inside(scope: Scope) -> float:
    """The part of its time that lies in the scope around it; the rest is another's, or nobody's."""
    return 1.0 - scope.outside_ns / scope.total_ns if scope.outside_ns else 1.0


def _longer(path: tuple[str, ...], name: str) -> tuple[str, ...]:
    return (*path[:DEEPEST], *((CUT,) if len(path) > DEEPEST else ()), name)


def _row(place: Place, whole_ns: int) -> FlatRow:
    scope = place.scope
    p50_ns, p95_ns, p99_ns = scope.percentiles_ns(0.5, 0.95, 0.99) if scope.walls_ns else (None, None, None)
    return FlatRow(
        path=place.path,
        count=scope.count,
        total_ns=scope.total_ns,
        self_ns=scope.self_ns,
        mean_ns=scope.mean_ns,
        p50_ns=p50_ns,
        p95_ns=p95_ns,
        p99_ns=p99_ns,
        share=place.share_ns / whole_ns if whole_ns else 0.0,
        unfinished_count=len(scope.unfinished),
    )
