"""Fewer points for the same picture of a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isfinite, nan

Point = tuple[int, float]


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """About as many points as asked for, with every peak and dip still there.

    Of neighbours, the lowest and the highest stay, and one that is no number, so that a gap stays a gap.

    Args:
        points: times with values, in the order of time.
        most: how many there may be; more are thinned.

    Example:
        >>> len(thinned([(ts_ns, ts_ns % 7) for ts_ns in range(10_000)], 400))
        400
    """
    if len(points) <= most:
        return list(points)
    groups = max(1, most // 2)
    edges = [number * len(points) // groups for number in range(groups + 1)]
    return [point for start, end in pairwise(edges) for point in _extremes(points[start:end])]


def _extremes(points: Sequence[Point]) -> Iterator[Point]:
    finite = [point for point in points if isfinite(point[1])]
    chosen = {min(finite, key=_value), max(finite, key=_value)} if finite else set()
    gap = next((point for point in points if not isfinite(point[1])), None)
    if gap is not None:
        chosen.add((gap[0], nan))
    yield from sorted(chosen, key=lambda point: point[0])


def _value(point: Point) -> float:
    return point[1]
