"""Which scopes changed from one run to another, and which of these changes are more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cirron.diff.noise import LEAST, Shift, shift
from cirron.diff.times import RunTimes, ScopePath, Times

CONFIDENCE = 0.95  # that all bands of one comparison together hold the true changes
TRIVIAL = 0.01  # of the run's time; what takes less fails no build


@dataclass(frozen=True)
class Change:
    """One scope before and after.

    Attributes:
        path: of the scope, in both runs.
        before, after: its times; None where the run has no such scope.
        shift: how its typical duration changed; None where either side has too few spans to tell.
        noise_ns: half the width of the band around that change.
        contribution_ns: by how much the time in the scope itself, outside of those below, made the run longer; 0 for
            what ran beside it.
    """

    path: ScopePath
    before: Times | None
    after: Times | None
    shift: Shift | None
    noise_ns: float
    contribution_ns: float

    @property
    def before_ns(self) -> float | None:
        """The typical duration before: trimmed where there are enough spans for that, else the mean."""
        if self.shift is not None:
            return self.shift.before_ns
        return self.before.mean_ns if self.before is not None else None

    @property
    def after_ns(self) -> float | None:
        """The same after."""
        if self.shift is not None:
            return self.shift.after_ns
        return self.after.mean_ns if self.after is not None else None

    @property
    def growth(self) -> float | None:
        """The change of the typical duration as a part of what it was: 0.2 for a fifth more, infinite after none."""
        if self.before_ns is None or self.after_ns is None:
            return None
        if not self.before_ns:
            return math.inf if self.after_ns else 0.0
        return self.after_ns / self.before_ns - 1

    @property
    def is_beyond_noise(self) -> bool:
        """Whether the band lies on one side of zero."""
        return self.shift is not None and abs(self.shift.after_ns - self.shift.before_ns) > self.noise_ns


@dataclass(frozen=True)
class Difference:
    """Two runs compared.

    Attributes:
        before, after: the runs.
        changes: one for each scope, those first that did most for or against the run's time.
    """

    before: RunTimes
    after: RunTimes
    changes: Sequence[Change]

    @cached_property
    def change_ns(self) -> float:
        """By how much the run takes longer."""
        return self.after.run_ns - self.before.run_ns

    @property
    def growth(self) -> float | None:
        """The same as a part of the time before; None where there was none."""
        return self.change_ns / self.before.run_ns if self.before.run_ns else None

    def regressions(self, limit: float) -> list[Change]:
        """The scopes that got slower by more than a limit, beyond noise, and that matter.

        Args:
            limit: the growth that is still accepted: 0.1 for a tenth.
        """
        return [change for change in self.changes if self._is_regression(change, limit)]

    def _is_regression(self, change: Change, limit: float) -> bool:
        found = change.shift
        if change.after is None or found is None or not change.is_beyond_noise:
            return False
        if found.after_ns <= found.before_ns * (1 + limit):
            return False
        return change.after.total_ns / self.after.rank_count >= TRIVIAL * self.after.run_ns


def compare(before: RunTimes, after: RunTimes, name: str | None = None) -> Difference:
    """Compare two runs by the paths of their scopes.

    The bands are as wide as it takes for all of them together to hold with the probability `CONFIDENCE`
    (Bonferroni), so that comparing many scopes finds no more by chance than comparing one.

    Args:
        before: the run to compare with.
        after: the run that is judged.
        name: compare only scopes of this name, and those below them.

    Example:
        [change.path for change in compare(a, b).regressions(0.1)]
    """
    paths = [path for path in {**before.scopes, **after.scopes} if name is None or name in path]
    shifts = {path: _shift(before.scopes.get(path), after.scopes.get(path)) for path in paths}
    told = sum(1 for found in shifts.values() if found)
    confidence = 1 - (1 - CONFIDENCE) / max(1, told)
    changes = [_change(path, before, after, shifts[path], confidence) for path in paths]
    return Difference(before, after, sorted(changes, key=_importance))


def _shift(before: Times | None, after: Times | None) -> Shift | None:
    """How the durations changed: rank by rank if both runs have the same, else those of all ranks as one sample."""
    if before is None or after is None or min(before.ended_count, after.ended_count) < LEAST:
        return None
    a, b = before.walls_ns, after.walls_ns
    if a.keys() == b.keys() and min(map(len, (*a.values(), *b.values()))) >= LEAST:
        return shift(*((a[rank], b[rank]) for rank in a))
    return shift((before.all_walls_ns(), after.all_walls_ns()))


def _change(path: ScopePath, a: RunTimes, b: RunTimes, found: Shift | None, confidence: float) -> Change:
    before, after = a.scopes.get(path), b.scopes.get(path)
    contribution_ns = _share_ns(after, b) - _share_ns(before, a)
    noise_ns = found.noise_ns(confidence) if found else 0.0
    return Change(path, before, after, found, noise_ns, contribution_ns)


def _share_ns(times: Times | None, run: RunTimes) -> float:
    return 0.0 if times is None or times.is_beside else times.share_ns / run.rank_count


def _importance(change: Change) -> tuple[float, float, ScopePath]:
    return -abs(change.contribution_ns), -abs(change.growth or 0), change.path
