"""Whether a series rises steadily, and how fast: by Theil and Sen's median of slopes, with a band of confidence.

A leak rises from the beginning to the end. A cache rises until it is full, a saw's tooth falls as often as it rises,
and a warm-up rises at the start. So a series counts as rising only if

    the band of 99 % around its slope lies above nothing,
    each fifth of it is higher than the one before, by half or more of what a fifth rises on average,
    it rises in all by twice as much as its points scatter around the line,
    and what its tenths rise is even: six times the error of the mean that their differences give.

The last is against walks at random, whose next step goes on from where the last has led: 1 to 4 % of them pass the
other three, and less than 0.7 % this one too. A leak is found nineteen times in twenty where what it adds deviates by a
quarter of its mean from one of 10 points to the next, by half of it with 40 points, and by all of it with 80.

The slope is the median of those between all pairs of points, which a quarter of wild points cannot move far; its band
is told from the number of pairs that rise, as in Kendall's test. P. K. Sen, "Estimates of the regression coefficient
based on Kendall's tau", JASA 63 (1968).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, pairwise
from statistics import mean, median, quantiles, stdev

from msgspec import Struct

LEAST = 10  # points; fewer cannot tell a trend from chance
_Z = 2.576  # of 99 %
_MOST = 300  # points that are compared in pairs
_FIFTHS = 5
_EVEN = 0.5
_CLEAR = 2.0
_TENTHS = 10
_SURE = 6.0


class Trend(Struct, frozen=True):
    """How a series goes.

    Args:
        slope: from one point to the next.
        low, high: the band that holds the slope in 99 of 100 cases.
        points: how many there are.
        scatter: from the 5th to the 95th percentile of the distances to the line.
        is_steady: whether each fifth is higher than the one before, and the tenths rise evenly.
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
    is_steady = _rises_by_fifths(values) and _rises_evenly(values)
    return Trend(slope, low, high, len(values), cuts[-1] - cuts[0], is_steady)


def _band(slopes: Sequence[float], count: int) -> tuple[float, float]:
    margin = _Z * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    first = max(0, math.floor((len(slopes) - margin) / 2))
    return slopes[first], slopes[len(slopes) - 1 - first]


def _rises_by_fifths(values: Sequence[float]) -> bool:
    rises = _rises(values, _FIFTHS)
    return min(rises) > 0 and min(rises) >= _EVEN * mean(rises)


def _rises_evenly(values: Sequence[float]) -> bool:
    """Student's t of the rises from each tenth to the next; several hundred for a leak of one size."""
    rises = _rises(values, _TENTHS)
    return mean(rises) * math.sqrt(len(rises)) >= _SURE * stdev(rises)


def _rises(values: Sequence[float], parts: int) -> list[float]:
    """From each part to the next."""
    size = len(values) / parts
    middles = [median(values[round(part * size) : round((part + 1) * size)]) for part in range(parts)]
    return [after - before for before, after in pairwise(middles)]
