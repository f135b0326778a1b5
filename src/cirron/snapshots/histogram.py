"""Histograms in block characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from cirron.spool.records import Histogram
from cirron.tree import units

_LEVELS = "▁▂▃▄▅▆▇█"
_BAR_CELLS = 40
_DIGITS_MAX = 17  # tell any two floats apart


def draw(histogram: Histogram) -> Iterator[str]:
    """A line for each bucket: its edges, a bar, and how many values it has."""
    damage = _damage(histogram)
    if damage:
        yield damage
        return
    edges = _labels(histogram.bins)
    counts = [f"{count:,}" for count in histogram.counts]
    width, count_width = max(map(len, edges)), max(map(len, counts))
    most = max(1, *histogram.counts)
    for (low, high), label, count in zip(pairwise(edges), counts, histogram.counts, strict=True):
        bar = units.bar(count / most, _BAR_CELLS)
        yield f"{low.rjust(width)} .. {high.rjust(width)}  {label.rjust(count_width)}  {bar}".rstrip()


def sketch(histogram: Histogram) -> str:
    """The histogram on one line between its outer edges; an empty bucket is a blank."""
    damage = _damage(histogram)
    if damage:
        return damage
    most = max(histogram.counts)
    blocks = "".join(_LEVELS[(count * 8 - 1) // most] if count else " " for count in histogram.counts)
    low, high = _labels([histogram.bins[0], histogram.bins[-1]])
    return f"{low} {blocks} {high}"


def _damage(histogram: Histogram) -> str | None:
    edges, buckets = len(histogram.bins), len(histogram.counts)
    if buckets > 0 and edges == buckets + 1:
        return None
    return f"a damaged histogram: {units.counted(edges, 'edge')} for {units.counted(buckets, 'bucket')}"


def _labels(edges: Sequence[float | None]) -> list[str]:
    """The edges with as many digits as tell them apart, four at least; `?` for one that is not finite."""
    digits = 4
    while digits < _DIGITS_MAX and len({_label(edge, digits) for edge in edges}) < len(set(edges)):
        digits += 1
    return [_label(edge, digits) for edge in edges]


def _label(edge: float | None, digits: int) -> str:
    return "?" if edge is None else f"{edge:.{digits}g}"
