"""Memory that a phase keeps at each repetition.

What a phase keeps raises the memory of the whole process, at the end of this phase and of any other. So the level at
its ends must rise steadily first of all; that alone says that something leaks, not what. The phase to blame is the one
that itself, without the phases within it, grows by a fair part of what the level rises. One that grows by much more
has its memory given back by another one, as a forward pass has by the backward pass: then the phase around both is
named, and they are its suspects.
"""

from __future__ import annotations

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
_FAIR_PART, _TOO_MUCH = 0.1, 1.5  # of what the level rises


class Grown(Struct, frozen=True):
    """A path whose level rises steadily.

    Args:
        level: the trend of the memory at its ends.
        own: the trend of what it grew itself, all repetitions so far together.
        whole: the same with the phases within it.
    """

    path: Path
    level: Trend
    own: Trend
    whole: Trend

    @property
    def is_its_own(self) -> bool:
        """Whether the phase itself keeps a fair part of it."""
        return self.own.is_rise and _FAIR_PART <= self.own.slope / self.level.slope <= _TOO_MUCH

    @property
    def is_within(self) -> bool:
        """Whether it is kept between its beginning and its end, by whomever."""
        return self.whole.is_rise and 1 / _TOO_MUCH <= self.whole.slope / self.level.slope <= _TOO_MUCH


def growth(by_path: dict[Path, list[Pass]], overlaps: bool) -> Iterator[Finding | Abstention]:
    """What the phases of one session keep, and for which of them that cannot be told."""
    grown = []
    for path, of_path in by_path.items():
        settled = _settled(of_path)
        if len(settled) < LEAST:
            if len(of_path) > 1:
                yield _abstain(of_path, f"{len(of_path)} repetitions; a trend takes {_needed()}")
        elif (found := _grown(path, settled)) is not None:
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


def _grown(path: Path, settled: Sequence[Pass]) -> Grown | None:
    level = trend([each.kept_bytes for each in settled])
    if not level.is_rise or level.rise < LEAST_RISE_BYTES:
        return None
    own = trend(list(accumulate(each.own_growth_bytes for each in settled)))
    whole = trend(list(accumulate(each.growth_bytes for each in settled)))
    return Grown(path, level, own, whole)


def _blamed(grown: list[Grown], by_path: dict[Path, list[Pass]]) -> Iterator[Finding | Abstention]:
    named: list[Path] = []
    for each in sorted(grown, key=lambda each: -len(each.path)):  # the inner ones first
        if each.is_its_own:
            named.append(each.path)
            yield _finding(each, by_path, each.own, [])
        elif each.is_within and not any(path[: len(each.path)] == each.path for path in named):
            named.append(each.path)
            yield _finding(each, by_path, each.whole, _suspects(each, grown))
    if grown and not named:
        outermost = min(grown, key=lambda each: len(each.path))
        yield _abstain(
            by_path[outermost.path],
            _rises(outermost) + ", and no phase keeps that much: it may be between them",
        )


def _suspects(around: Grown, grown: list[Grown]) -> list[str]:
    """The phases directly within one that grow, those that grow most first."""
    inner = [each for each in grown if each.path[:-1] == around.path and each.own.slope > 0]
    return [PATH_SEPARATOR.join(each.path) for each in sorted(inner, key=lambda each: -each.own.slope)]


def _finding(each: Grown, by_path: dict[Path, list[Pass]], kept: Trend, suspects: list[str]) -> Finding:
    of_path = by_path[each.path]
    says = f"{PATH_SEPARATOR.join(each.path)} keeps {units.size(round(kept.slope))} at each repetition"
    if suspects:
        says += f"; suspects within it: {', '.join(suspects)}, whose memory others give back in part"
    evidence: dict[str, Any] = {
        "repetitions": len(of_path),
        "after_warm_up": kept.points,
        "kept_bytes_per_repetition": [round(kept.low), round(kept.slope), round(kept.high)],
        "level_rise_bytes": round(each.level.rise),
        "level_scatter_bytes": round(each.level.scatter),
        "first_exit_bytes": of_path[0].exit_bytes,
        "last_exit_bytes": of_path[-1].exit_bytes,
        "suspects": suspects,
    }
    phase = of_path[0].phase
    return Finding(
        kind="growth",
        session_id=phase.session_id,
        rank=phase.rank,
        path=each.path,
        value_bytes=round(kept.slope),
        says=says,
        evidence=evidence,
    )


def _rises(each: Grown) -> str:
    return f"the memory rises by {units.size(round(each.level.slope))} at each repetition"


def _abstain(of_path: Sequence[Pass], reason: str) -> Abstention:
    phase = of_path[0].phase
    return Abstention(
        kind="growth", session_id=phase.session_id, rank=phase.rank, path=phase.path, reason=reason
    )
