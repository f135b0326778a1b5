"""Where most of the time went, in one line."""

from __future__ import annotations

from collections import Counter

from cirron.spool.records import SESSION_NAME
from cirron.tree import units
from cirron.tree.flat import SEPARATOR, paths
from cirron.tree.run_outline import WORKERS
from cirron.tree.scope import Scope

TOLD_FROM = 0.2  # of the time; a scope with less is not what makes a run slow
WORTH_IT_NS = 100_000_000  # nobody asks why a run of less is slow


def hottest(top: Scope) -> str | None:
    """A sentence about the path that took the most time itself; None where no path stands out."""
    selves_ns: Counter[tuple[str, ...]] = Counter()
    for path, scope in paths(top):
        selves_ns[path] += scope.self_ns
    whole_ns = sum(scope.total_ns for scope in top.scopes() if scope.name != WORKERS)
    in_main = [(self_ns, path) for path, self_ns in selves_ns.items() if path[0] != WORKERS]
    if whole_ns < WORTH_IT_NS or len(in_main) < 2:
        return None
    self_ns, path = max(in_main)
    if self_ns / whole_ns < TOLD_FROM:
        return None
    took = f"{units.percent(self_ns / whole_ns)} of the time ({units.duration(self_ns)})"
    if path == (SESSION_NAME,):
        return f"{took} is outside of any scope: put ci.scope() around more of the program to see where"
    return f"{took} is in {units.clean(SEPARATOR.join(path))} itself"
