"""Where most of the time went: the one path of scopes to look at first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cirron.spool.records import SESSION_NAME
from cirron.tree import units
from cirron.tree.flat import Place, paths
from cirron.tree.path_text import path_text
from cirron.tree.run_outline import WORKERS
from cirron.tree.scope import Scope

TOLD_FROM = 0.2  # of the time; a scope with less is not what makes a run slow
WORTH_IT_NS = 100_000_000  # nobody asks why a run of less is slow

ScopePath = tuple[str, ...]


def hottest(top: Scope) -> str | None:
    """A sentence about the path that took the most time itself; None where no path stands out.

    Example:
        >>> hottest(top)
        '61 % of the time (32.7 s) is in epoch / batch / forward itself'
    """
    path = hottest_path(top)
    if path is None:
        return None
    places = _main_places(top)[path]
    self_ns = _share_ns(places)
    took = f"{units.percent(self_ns / _whole_ns(top))} of the time ({units.duration(self_ns)})"
    if path == (SESSION_NAME,):
        return f"{took} is outside of any scope: put ci.scope() around more of the program to see where"
    return f"{took} is in {path_text(path)} itself{_waiting(places, self_ns)}"


def hottest_path(top: Scope) -> ScopePath | None:
    """The names from the top down to the scope that took the most time itself, as `paths` gives them.

    None where no path stands out, or the run was over so soon that none is worth telling.
    """
    by_path = _main_places(top)
    whole_ns = _whole_ns(top)
    if whole_ns < WORTH_IT_NS or len(by_path) < 2:
        return None
    self_ns, path = max((_share_ns(places), path) for path, places in by_path.items())
    return path if self_ns / whole_ns >= TOLD_FROM else None


def _main_places(top: Scope) -> dict[ScopePath, list[Place]]:
    """The scopes of each path; several while spans stand one by one. Without those of workers."""
    by_path: defaultdict[ScopePath, list[Place]] = defaultdict(list)
    for place in paths(top):
        if place.path[0] != WORKERS:
            by_path[place.path].append(place)
    return by_path


def _whole_ns(top: Scope) -> int:
    return sum(scope.total_ns for scope in top.scopes() if scope.name != WORKERS)


def _share_ns(places: Sequence[Place]) -> float:
    return sum(place.share_ns for place in places)


def _waiting(places: Sequence[Place], self_ns: float) -> str:
    """What of it was spent in a data loader; more than all of it is spent in scopes below, which tell by themselves."""
    waited_ns = sum(place.scope.data_load_ns for place in places)
    if not TOLD_FROM <= waited_ns / self_ns <= 1:
        return ""
    return f": {units.duration(waited_ns)} of it waiting for the data loader"
