"""Which rank of a run holds up the others, and where."""

from __future__ import annotations

from statistics import median_low

from cirron.tree import units
from cirron.tree.flat import paths
from cirron.tree.path_text import path_text
from cirron.tree.scope import Scope

UNEVEN = 1.1  # of the median rank's time; less is how ranks differ anyway
TOLD_FROM = 0.05  # of the slowest rank's whole time
ALIKE = 0.8  # of the most; among scopes that differ so much, the innermost tells the cause


def slow_rank(top: Scope) -> str | None:
    """A sentence about the scope in which one rank takes much longer than the others; None where none does.

    Example:
        >>> slow_rank(top)
        'rank 2 spent 713 ms more than the median rank in epoch / batch / forward'
    """
    least_ns = told_from_ns(top)
    behind = [(place.path, place.scope) for place in paths(top) if is_uneven(place.scope, least_ns)]
    if not behind:
        return None
    most_ns = max(behind_ns(scope) for _, scope in behind)
    much = [(path, scope) for path, scope in behind if behind_ns(scope) >= ALIKE * most_ns]
    path, scope = max(much, key=lambda found: (len(found[0]), behind_ns(found[1])))
    more = units.duration(behind_ns(scope))
    where = path_text(path)
    return f"rank {slowest(scope)} spent {more} more than the median rank in {where}"


def told_from_ns(top: Scope) -> float:
    """How far behind the median a rank of this run has to be for that to matter."""
    return TOLD_FROM * max(
        (max(scope.rank_walls_ns.values(), default=0) for scope in top.scopes()), default=0
    )


def is_uneven(scope: Scope, least_ns: float) -> bool:
    """Whether one rank spent notably longer in the scope than the median rank, and at least so much longer."""
    walls_ns = scope.rank_walls_ns
    if len(walls_ns) < 2 or behind_ns(scope) < least_ns:
        return False
    return max(walls_ns.values()) > UNEVEN * median_low(walls_ns.values())


def behind_ns(scope: Scope) -> int:
    """How much longer than the median rank the slowest one took."""
    walls_ns = scope.rank_walls_ns.values()
    return max(walls_ns) - median_low(walls_ns) if walls_ns else 0


def slowest(scope: Scope) -> int:
    """The rank that spent the most time in the scope."""
    return max(scope.rank_walls_ns, key=scope.rank_walls_ns.__getitem__)
