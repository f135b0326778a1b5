"""A `fit` that was under way before anybody recorded it: it is found at the end of a batch, or at its next epoch."""

from __future__ import annotations

import inspect
import sys
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import keras

from cirron.hooks.tensorflow.runs import TRAIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from cirron.hooks.guard import Guard
    from cirron.hooks.tensorflow.runs import Run, Runs


class Finder:
    """Looks for the `fit` that a list of callbacks belongs to.

    Args:
        runs: that are known.
        guard: of the hooks.
        begin: makes a run of a model's `fit`.
    """

    def __init__(self, runs: Runs, guard: Guard, begin: Callable[[Any], Run]) -> None:
        self._runs = runs
        self._guard = guard
        self._begin = begin
        self._fit = inspect.unwrap(keras.Model.fit).__code__

    def at_epoch(self, callbacks: Any, *told: object, **named: object) -> None:
        """An epoch begins, of which nobody else has heard yet."""
        if self._runs.told_by(callbacks, TRAIN) is None and _caller().f_code is self._fit:
            self._found(callbacks)

    def amid_epoch(self, callbacks: Any) -> Run | None:
        """A batch of an unknown run is over; what comes after it belongs to the epoch at hand."""
        frame = _caller()
        if frame.f_code is not self._fit:
            return None
        epoch = frame.f_locals["epoch"]
        run = self._found(callbacks)
        run.begin_epoch(epoch)
        return run

    def _found(self, callbacks: Any) -> Run:
        run = self._begin(callbacks.model)
        run.is_told_by(callbacks)
        # Nobody else tells when this call returns or raises; its list of callbacks is local to it.
        run.until = weakref.ref(callbacks, partial(_end, self._guard, run))
        return run


def _end(guard: Guard, run: Run, _: object) -> None:
    guard(run.fail, None)


def _caller() -> FrameType:
    """The frame that has called a hook."""
    frame = sys._getframe()
    while frame.f_globals["__name__"].startswith("cirron.") and frame.f_back is not None:
        frame = frame.f_back
    return frame
