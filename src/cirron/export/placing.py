"""Which scopes a page shows, in an order in which parents come first, and the paths that they make up."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from cirron.tree import Scope
from cirron.tree.series import Series


@dataclass(frozen=True, slots=True)
class Place:
    """A scope that is shown.

    Attributes:
        scope: itself.
        parent: the position of the place around it; None for a root.
        path: the position of its path.
        root: the scope at the top of its tree.
    """

    scope: Scope
    parent: int | None
    path: int
    root: Scope


@dataclass(frozen=True, slots=True)
class Path:
    """All shown scopes of one name below another path.

    Attributes:
        parent: the position of the path around it; None for a root.
        members: the scopes, at least one.
    """

    parent: int | None
    members: list[Scope] = field(default_factory=list)

    def united(self) -> Scope:
        """Its members as one scope, with all that can be counted, and nothing below."""
        if len(self.members) == 1:
            return self.members[0]
        united = Scope(self.members[0].name)
        for scope in self.members:
            _count(scope, united)
        return united


def place(top: Scope, most: int) -> tuple[list[Place], list[Path]]:
    """The places and paths of what is below `top`, siblings in the order they began.

    Args:
        top: is not shown itself.
        most: how many scopes may be shown; those that took least are left out, with all below them.
    """
    shown = {id(scope) for scope in _largest(top, most)}
    places: list[Place] = []
    paths: list[Path] = []
    numbers: dict[tuple[int | None, str], int] = {}
    pending: list[tuple[Scope, int | None]] = [(scope, None) for scope in reversed(top.in_order())]
    while pending:
        scope, parent = pending.pop()
        if id(scope) not in shown:
            continue
        above = None if parent is None else places[parent].path
        path = numbers.setdefault((above, scope.name), len(paths))
        if path == len(paths):
            paths.append(Path(above))
        paths[path].members.append(scope)
        pending.extend((below, len(places)) for below in reversed(scope.in_order()))
        places.append(Place(scope, parent, path, scope if parent is None else places[parent].root))
    return places, paths


def _largest(top: Scope, most: int) -> Iterator[Scope]:
    """The scopes that took most, none of them without its parent."""
    heap = _entries(top.scopes(), 0)
    heapq.heapify(heap)
    met = len(heap)
    for _ in range(most):
        if not heap:
            return
        scope = heapq.heappop(heap)[2]
        yield scope
        for entry in _entries(scope.scopes(), met):
            met += 1
            heapq.heappush(heap, entry)


def _entries(scopes: Iterator[Scope], met: int) -> list[tuple[int, int, Scope]]:
    """As a heap orders them: the longest first, and of equals the one that was met first."""
    return [(-scope.total_ns, met + number, scope) for number, scope in enumerate(scopes)]


def _count(scope: Scope, united: Scope) -> None:
    united.count += scope.count
    united.walls_ns.extend(scope.walls_ns)
    united.ended_ns += scope.ended_ns
    united.unfinished.update(scope.unfinished)
    united.unfinished_ns += scope.unfinished_ns
    united.interrupted_count += scope.interrupted_count
    united.errors.update(scope.errors)
    united.gpu_ns += scope.gpu_ns
    united.memory_peak_bytes = max(united.memory_peak_bytes, scope.memory_peak_bytes)
    for rank, wall_ns in scope.rank_walls_ns.items():
        united.rank_walls_ns[rank] = united.rank_walls_ns.get(rank, 0) + wall_ns
    for name, series in scope.series.items():
        united.series.setdefault(name, Series()).merge(series)
