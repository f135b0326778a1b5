"""How far two samples of durations are apart, and how far by chance alone.

The durations of a scope are no textbook sample. Few of them are much longer than the rest (a warm-up, a stall), and
neighbours resemble each other (a slow phase of the machine). So the mean is that of blocks of neighbours without the
slowest and the fastest fifth of these, and its error is told from groups of blocks and from how alike these are.

With both sides cut into blocks of the same length (40 or more on the smaller side, if it has as many spans):

    mean    of the block means that are left after trimming a fifth of them, k of n, at either end
    s²      variance of the means of G = 20 groups, after each trimmed block took the value of the nearest that was kept
    r       correlation of neighbouring groups, from 0 to 0.5
    H       G · k / n, the groups that count
    d       s² (G - 1) / (H (H - 1)) · (1 + r) / (1 - r), the squared error of the mean
    band    (mean B - mean A) ± t · sqrt(dA + dB), with Welch's degrees of freedom
            (dA + dB)² / (dA² / (HA - 1) + dB² / (HB - 1))

Trimming and its error: K. K. Yuen, "The two-sample trimmed t for unequal population variances", Biometrika 61 (1974).
Degrees of freedom: B. L. Welch, Biometrika 34 (1947). Groups of neighbours: B. Schmeiser, "Batch size effects in the
analysis of simulation output", Operations Research 30 (1982). Correlation: G. V. Bayley and J. M. Hammersley, "The
effective number of independent observations in an autocorrelated time series", JRSS Supplement 8 (1946).

Simulated with even, skewed, heavy-tailed, drifting, warming up and stalling samples, such a band of 95 % fails to hold
no change in 2 to 5 of 100 cases. It fails in more where phases of the machine last as long as the sample, which
nothing within the sample can tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, variance

from cirron.diff.student import t_beyond

LEAST = 5  # durations on each side; fewer tell nothing of chance
_BLOCKS = 40
_TRIMMED = 0.2
_GROUPS = 20
_MOST_ALIKE = 0.5  # more would take a steady drift, which both runs have, for ignorance of the mean


@dataclass(frozen=True)
class Shift:
    """By how much a typical duration changed.

    Attributes:
        before_ns, after_ns: the trimmed means.
        error_ns: the standard error of their difference; 0 where the durations do not vary.
        freedom: the degrees of freedom of that error.
    """

    before_ns: float
    after_ns: float
    error_ns: float
    freedom: float

    def noise_ns(self, confidence: float) -> float:
        """Half the width of the band that holds the true change with this probability."""
        return self.error_ns * t_beyond(1 - confidence, self.freedom) if self.error_ns else 0.0


def shift(*samples: tuple[Sequence[int], Sequence[int]]) -> Shift:
    """Compare durations before and after.

    Args:
        samples: pairs of before and after, each of `LEAST` durations or more, in the order of time, forwards or
            backwards. Several pairs, such as those of the ranks of a run, are compared one by one, and the mean
            of what changed is told: what sets the pairs apart is no noise.

    Example:
        >>> found = shift((walls_a, walls_b))
        >>> found.after_ns - found.before_ns > found.noise_ns(confidence=0.95)
        True
    """
    pairs = [_trimmed_pair(before_ns, after_ns) for before_ns, after_ns in samples]
    before_ns, after_ns = (fmean(side.mean for side in sides) for sides in zip(*pairs, strict=True))
    errors = [(side.squared_error / len(pairs) ** 2, side.freedom) for pair in pairs for side in pair]
    squared = sum(error for error, _ in errors)
    if not squared:
        return Shift(before_ns, after_ns, 0.0, math.inf)
    parts = sum(error**2 / freedom for error, freedom in errors)
    return Shift(before_ns, after_ns, math.sqrt(squared), squared**2 / parts)


@dataclass(frozen=True)
class _Trimmed:
    mean: float
    squared_error: float
    freedom: float


def _trimmed_pair(before_ns: Sequence[int], after_ns: Sequence[int]) -> tuple[_Trimmed, _Trimmed]:
    length = max(1, min(len(before_ns), len(after_ns)) // _BLOCKS)
    return _trimmed(_means(before_ns, length)), _trimmed(_means(after_ns, length))


def _trimmed(blocks: Sequence[float]) -> _Trimmed:
    ranked = sorted(blocks)
    cut = int(len(ranked) * _TRIMMED)
    kept = ranked[cut : len(ranked) - cut]
    groups = _groups([min(max(block, kept[0]), kept[-1]) for block in blocks])
    count = len(groups) * len(kept) / len(ranked)
    squared_error = variance(groups) * (len(groups) - 1) / (count * (count - 1))
    alike = _correlation(groups)
    return _Trimmed(fmean(kept), squared_error * (1 + alike) / (1 - alike), count - 1)


def _groups(blocks: Sequence[float]) -> list[float]:
    """The means of groups of neighbours; of fewer groups where they would have a single member."""
    return _split(blocks, max(LEAST, min(_GROUPS, len(blocks) // 2)))


def _correlation(groups: Sequence[float]) -> float:
    """How alike neighbours are: 0 where they are not."""
    mean = fmean(groups)
    apart = [group - mean for group in groups]
    squares = sum(each * each for each in apart)
    if not squares:
        return 0.0
    return min(_MOST_ALIKE, max(0.0, sum(one * other for one, other in pairwise(apart)) / squares))


def _means(walls_ns: Sequence[int], length: int) -> Sequence[float]:
    """The means of blocks of so many neighbours, or one or two more."""
    return walls_ns if length == 1 else _split(walls_ns, len(walls_ns) // length)


def _split(values: Sequence[float], count: int) -> list[float]:
    edges = [position * len(values) // count for position in range(count + 1)]
    return [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
