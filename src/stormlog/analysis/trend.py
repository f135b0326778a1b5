"""Whether a series rises steadily, and how fast: by Theil and Sen's median of slopes, with a band of confidence.

A leak rises from the beginning to the end. A cache rises until it is full, a saw's tooth falls as often as it rises,
and a warm-up rises at the start. So a series counts as rising only if

    the band of 99 % around its slope lies above nothing,
    each fifth of it is higher than the one before, by half or more of what a fifth rises on average,
    and it rises in all by twice as much as its points scatter around the line.

The slope is the median of those between all pairs of points, which a quarter of wild points cannot move far; its band
is told from the number of pairs that rise, as in Kendall's test. P. K. Sen, "Estimates of the regression coefficient
based on Kendall's tau", JASA 63 (1968).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, pairwise
from statistics import median, quantiles

from msgspec import Struct

LEAST = 10  # points; fewer cannot tell a trend from chance
_Z = 2.576  # of 99 %
_MOST = 300  # points that are compared in pairs
_FIFTHS = 5
_EVEN = 0.5
_CLEAR = 2.0


class Trend(Struct, frozen=True):
    """How a series goes.

    Args:
        slope: from one point to the next.
        low, high: the band that holds the slope in 99 of 100 cases.
        points: how many there are.
        scatter: from the 5th to the 95th percentile of the distances to the line.
        is_steady: whether each fifth is higher than the one before.
    """

    slope: float
    low: float
    high: float
    points: int
    scatter: float
    is_steady: bool

    @property
    def is_rise(self) -> bool:
        """Whether the series rises from the beginning to the end, beyond doubt."""
        return self.low > 0 and self.is_steady and self.rise > _CLEAR * self.scatter

    @property
    def rise(self) -> float:
        """From the first to the last point, by the line."""
        return self.slope * (self.points - 1)


def trend(values: Sequence[float]) -> Trend:
    """The trend of at least `LEAST` values."""
    step = max(1, math.ceil(len(values) / _MOST))
    chosen = values[::step]
    slopes = sorted((b - a) / (j - i) / step for (i, a), (j, b) in combinations(enumerate(chosen), 2))
    slope = median(slopes)
    low, high = _band(slopes, len(chosen))
    distances = [value - slope * position for position, value in enumerate(values)]
    cuts = quantiles(distances, n=20, method="inclusive")
    return Trend(slope, low, high, len(values), cuts[-1] - cuts[0], _is_steady(values))


def _band(slopes: Sequence[float], count: int) -> tuple[float, float]:
    margin = _Z * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    first = max(0, math.floor((len(slopes) - margin) / 2))
    return slopes[first], slopes[len(slopes) - 1 - first]


def _is_steady(values: Sequence[float]) -> bool:
    size = len(values) / _FIFTHS
    middles = [median(values[round(part * size) : round((part + 1) * size)]) for part in range(_FIFTHS)]
    rises = [after - before for before, after in pairwise(middles)]
    return min(rises) > 0 and min(rises) >= _EVEN * sum(rises) / len(rises)
