"""The values that a framework logs while it runs a loop, as marks."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from cirron.hooks.names import BATCH, EPOCH, STEP, UNITS
from cirron.snapshots.summary import GRAD_NORM, UPDATE_RATIO

if TYPE_CHECKING:
    from cirron.hooks.target import Target


class Logged:
    """Marks for one training: points in its steps, and for each epoch a summary of what was logged last in it.

    Example:
        logged = Logged(target)
        logged.begin_epoch()
        logged.log({"loss": 0.25})  # a point, in a step
        logged.summarise()
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._latest: dict[str, Any] = {}
        self._is_in_epoch = False

    def begin_epoch(self) -> None:
        """What was logged so far is no part of the epoch that begins."""
        self._latest = {}
        self._is_in_epoch = True

    def log(self, values: Mapping[str, Any]) -> None:
        """Mark the numbers among these values; what is logged between the steps of an epoch waits for its end."""
        numbers = {name: value for name, value in values.items() if _is_number(value)}
        self._latest |= numbers
        place = self._target.innermost(UNITS)
        if place != EPOCH or not self._is_in_epoch:
            self._mark(numbers, "point" if place in (STEP, BATCH) else "summary")

    def summarise(self, without: tuple[str, ...] = ()) -> None:
        """The epoch ends: write its summary, without the names that end so, nor those that snapshots mark on it."""
        latest = {name: value for name, value in self._latest.items() if not name.endswith(without)}
        for name in (GRAD_NORM, UPDATE_RATIO):
            latest.pop(name, None)
        self._mark(latest, "summary")
        self._is_in_epoch = False

    def _mark(self, numbers: Mapping[str, Any], kind: str) -> None:
        for name, value in numbers.items():
            self._target.mark(name, value, kind)


def _is_number(value: object) -> bool:
    """Also an array or a tensor without dimensions, which is read without waiting for its device."""
    return isinstance(value, Real) or getattr(value, "ndim", None) == 0
