"""Scopes as a table: one row a path, whatever stands one by one in the tree taken together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
        mean_ns, p50_ns, p95_ns, p99_ns: of the spans that have an end; the percentiles are durations that occurred.
        share: of the time of all roots, the part that is spent in this path itself.
        unfinished_count: spans without an end.
    """

    path: tuple[str, ...]
    count: int
    total_ns: int
    self_ns: int
    mean_ns: float
    p50_ns: int
    p95_ns: int
    p99_ns: int
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
    rows = [_row(path, scope, whole_ns) for path, scope in paths(top)]
    return sorted(rows, key=lambda row: (-row.self_ns, row.path))


def paths(top: Scope) -> Iterator[tuple[tuple[str, ...], Scope]]:
    """Every scope below with its path. The session's own name is left out of all paths but its own."""
    pending: list[tuple[tuple[str, ...], Scope]] = [((), scope) for scope in top.in_order()]
    while pending:
        above, scope = pending.pop()
        path = (*above[:DEEPEST], *((CUT,) if len(above) > DEEPEST else ()), scope.name)
        yield path, scope
        below = () if path == (SESSION_NAME,) else path
        pending.extend((below, child) for child in scope.scopes())


def _row(path: tuple[str, ...], scope: Scope, whole_ns: int) -> FlatRow:
    p50_ns, p95_ns, p99_ns = scope.percentiles_ns(0.5, 0.95, 0.99)
    return FlatRow(
        path=path,
        count=scope.count,
        total_ns=scope.total_ns,
        self_ns=scope.self_ns,
        mean_ns=scope.ended_ns / len(scope.walls_ns) if scope.walls_ns else 0.0,
        p50_ns=p50_ns,
        p95_ns=p95_ns,
        p99_ns=p99_ns,
        share=scope.self_ns / whole_ns if whole_ns else 0.0,
        unfinished_count=len(scope.unfinished),
    )
