"""Memory that a phase keeps at each repetition.

What a phase keeps raises the memory of the whole process, at the end of this phase and of any other. So the level at
its ends must rise steadily first of all; that alone says that something leaks, not what. To blame are the phases that
grow themselves, without those within them. But one that grows may have its memory given back by another, as a forward
pass has by the backward pass. So what grows is set against what shrinks: pairs of about the same size explain each
other, and if nothing that shrinks is left, what still grows is what is kept. Else the innermost phase around is named,
and those within it that grow are its suspects.

On the host the resident memory grows where fresh pages are needed first, which may be a phase that frees all it takes,
after another one has kept what was free. So there the heap tells whose it is, where it rises too. What it rises by may
be less: small objects of Python are not in it, and what it cannot give back for the gaps between kept objects is not
either. Then it tells whose it is, and the resident memory how much. The heap may also rise alone, for as long as what
is kept finds room in pages that the process had before; then it tells both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from msgspec import Struct

from cirron.tree import units
from stormlog.analysis.findings import Abstention, Finding
from stormlog.analysis.passes import Pass, Path
from stormlog.analysis.trend import LEAST, Trend, trend
from stormlog.phases.runtime import PATH_SEPARATOR

WARM_UP = 0.2  # of the repetitions, and two at least: allocators and caches fill up then
LEAST_RISE_BYTES = 1 << 20  # in all; less is the page here and there that any process gains
_TOO_MUCH = 1.5  # slopes that differ by more are not the same
_FAIR_PART = 0.1  # of what is kept in all; a phase that grows or shrinks by less does not matter
_TELLING = 0.05  # of the resident memory's slope; a heap that rises by less tells nothing of it
_SAME = 0.05  # what grows and what shrinks by so nearly the same explain each other


class Grown(Struct, frozen=True):
    """A path whose level rises steadily.

    Args:
        resident: the trend of the memory at its ends; of the heap, where that rises alone.
        level: the same of what it is told from whose that is: the heap, or the same again.
        own: the trend of what it grew itself, all repetitions so far together.
        whole: the same with the phases within it.
        told_by: what these were told from.
    """

    path: Path
    resident: Trend
    level: Trend
    own: Trend
    whole: Trend
    told_by: str

    @property
    def own_bytes(self) -> float:
        """What it grew itself in all repetitions."""
        return self.own.slope * self.own.points

    @property
    def level_bytes(self) -> float:
        """What the memory rose in all repetitions."""
        return self.level.slope * self.level.points

    @property
    def is_within(self) -> bool:
        """Whether it is kept between its beginning and its end, by whomever."""
        return self.whole.is_rise and _is_about(self.whole, self.level)


def growth(
    by_path: dict[Path, list[Pass]], by_heap: dict[Path, list[Pass]], overlaps: bool
) -> Iterator[Finding | Abstention]:
    """What the phases of one session keep, and for which of them that cannot be told.

    Args:
        by_path: the passes, with what the program keeps told from its resident memory or the device's allocator.
        by_heap: the same told from the heap, as far as that is known.
        overlaps: whether several threads or tasks were in phases at the same time.
    """
    grown = []
    for path, of_path in by_path.items():
        settled = _settled(of_path)
        if len(settled) < LEAST:
            if len(of_path) > 1:
                yield _abstain(of_path, f"{len(of_path)} repetitions; a trend takes {_needed()}")
        elif (found := _grown(path, settled, _settled(by_heap.get(path, [])))) is not None:
            grown.append(found)
    if grown and overlaps:
        widest = max(grown, key=lambda each: each.level.points)
        yield _abstain(
            by_path[widest.path], _rises(widest) + "; several threads or tasks were in phases at that time"
        )
    else:
        yield from _blamed(grown, by_path)


def _needed() -> int:
    return next(count for count in range(LEAST, 10 * LEAST) if count - _warm_up(count) >= LEAST)


def _warm_up(count: int) -> int:
    return max(2, round(WARM_UP * count))


def _settled(of_path: Sequence[Pass]) -> Sequence[Pass]:
    return of_path[_warm_up(len(of_path)) :]


def _grown(path: Path, settled: Sequence[Pass], in_heap: Sequence[Pass]) -> Grown | None:
    level = trend([each.kept_bytes for each in settled])
    heap_level = trend([each.kept_bytes for each in in_heap]) if len(in_heap) >= LEAST else None
    if heap_level is None:
        return _shared_out(path, level, level, settled, "allocator") if _matters(level) else None
    if not _matters(level):
        return _shared_out(path, heap_level, heap_level, in_heap, "heap") if _matters(heap_level) else None
    if heap_level.is_rise and heap_level.slope >= _TELLING * level.slope:
        return _shared_out(path, level, heap_level, in_heap, "heap")
    return _shared_out(path, level, level, settled, "resident memory")


def _matters(level: Trend) -> bool:
    return level.is_rise and level.rise >= LEAST_RISE_BYTES


def _is_about(one: Trend, other: Trend) -> bool:
    return 1 / _TOO_MUCH <= one.slope / other.slope <= _TOO_MUCH


def _shared_out(path: Path, resident: Trend, level: Trend, settled: Sequence[Pass], told_by: str) -> Grown:
    own = trend(list(accumulate(each.own_growth_bytes for each in settled)))
    whole = trend(list(accumulate(each.growth_bytes for each in settled)))
    return Grown(path, resident, level, own, whole, told_by)


def _blamed(grown: list[Grown], by_path: dict[Path, list[Pass]]) -> Iterator[Finding | Abstention]:
    groups: defaultdict[Path, list[Grown]] = defaultdict(list)
    outermost = _outermost(grown)
    for each in grown:
        top = next(other for other in outermost if each.path[: len(other.path)] == other.path)
        groups[top.path[:-1]].append(each)
    for group in groups.values():
        yield from _blamed_of(group, by_path)


def _outermost(grown: list[Grown]) -> list[Grown]:
    paths = {each.path for each in grown}
    return [
        each for each in grown if not any(each.path[:depth] in paths for depth in range(1, len(each.path)))
    ]


def _blamed_of(group: list[Grown], by_path: dict[Path, list[Pass]]) -> Iterator[Finding | Abstention]:
    """Of phases that lie beside and within each other."""
    widest = max(_outermost(group), key=lambda each: each.level_bytes)
    keepers = _keepers(group, widest.level_bytes)
    if keepers:
        for each in keepers:
            yield _finding(each, by_path, each.own, [])
        return
    around = [each for each in group if each.is_within]
    if around:
        innermost = max(around, key=lambda each: len(each.path))
        yield _finding(innermost, by_path, innermost.whole, _suspects(innermost, group))
    else:
        reason = f"{_rises(widest)}, and no phase keeps that much: it may be between them"
        yield _abstain(by_path[widest.path], reason)


def _keepers(group: list[Grown], level_bytes: float) -> list[Grown]:
    """The phases that keep all there is kept; none where that is not clear."""
    between_bytes = level_bytes - sum(each.whole.slope * each.whole.points for each in _outermost(group))
    least_bytes = _FAIR_PART * level_bytes
    shrinking = [-each.own_bytes for each in group if each.own_bytes < -least_bytes]
    shrinking += [-between_bytes] if between_bytes < -least_bytes else []
    growing = sorted(
        (each for each in group if each.own_bytes > least_bytes), key=lambda each: -each.own_bytes
    )
    for gone_bytes in sorted(shrinking, reverse=True):
        same = [each for each in growing if abs(each.own_bytes - gone_bytes) <= _SAME * gone_bytes]
        if not same:
            return []
        growing.remove(min(same, key=lambda each: abs(each.own_bytes - gone_bytes)))
    explained = sum(each.own_bytes for each in growing) / level_bytes
    is_clear = 1 / _TOO_MUCH <= explained <= _TOO_MUCH and all(each.own.is_rise for each in growing)
    return growing if is_clear else []


def _suspects(around: Grown, grown: list[Grown]) -> list[str]:
    """The phases within one that grow by themselves, those that grow most first."""
    depth = len(around.path)
    inner = [each for each in grown if len(each.path) > depth and each.path[:depth] == around.path]
    inner = [each for each in inner if each.own_bytes > _FAIR_PART * around.level_bytes]
    return [PATH_SEPARATOR.join(each.path) for each in sorted(inner, key=lambda each: -each.own_bytes)]


def _finding(each: Grown, by_path: dict[Path, list[Pass]], kept: Trend, suspects: list[str]) -> Finding:
    of_path = by_path[each.path]
    scale = 1.0 if _is_about(each.level, each.resident) else each.resident.slope / each.level.slope
    value_bytes = round(scale * kept.slope)
    says = f"{PATH_SEPARATOR.join(each.path)} keeps {units.size(value_bytes)} at each repetition"
    if suspects:
        says += f"; suspects within it: {', '.join(suspects)}, whose memory others give back in part"
    evidence: dict[str, Any] = {
        "repetitions": len(of_path),
        "after_warm_up": kept.points,
        "kept_bytes_per_repetition": [round(kept.low), round(kept.slope), round(kept.high)],
        "resident_rise_bytes": round(each.resident.rise),
        "resident_scatter_bytes": round(each.resident.scatter),
        "first_exit_bytes": of_path[0].exit_bytes,
        "last_exit_bytes": of_path[-1].exit_bytes,
        "told_by": each.told_by,
        "suspects": suspects,
    }
    phase = of_path[0].phase
    return Finding(
        kind="growth",
        session_id=phase.session_id,
        rank=phase.rank,
        path=each.path,
        value_bytes=value_bytes,
        says=says,
        evidence=evidence,
    )


def _rises(each: Grown) -> str:
    return f"the memory rises by {units.size(round(each.resident.slope))} at each repetition"


def _abstain(of_path: Sequence[Pass], reason: str) -> Abstention:
    phase = of_path[0].phase
    return Abstention(
        kind="growth", session_id=phase.session_id, rank=phase.rank, path=phase.path, reason=reason
    )
