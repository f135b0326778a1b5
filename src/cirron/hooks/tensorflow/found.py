"""A `fit` that was under way before anybody recorded it: it is found at the beginning of its next epoch."""

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


def finding(runs: Runs, guard: Guard, begin: Callable[[Any], Run]) -> Callable[..., None]:
    """What is to hear of each epoch that begins, before anybody else does.

    Args:
        runs: that are known.
        guard: of the hooks.
        begin: makes a run of a model's `fit`.
    """
    fit = inspect.unwrap(keras.Model.fit).__code__

    def find(callbacks: Any, *told: object, **named: object) -> None:
        if runs.told_by(callbacks, TRAIN) is None and _caller().f_code is fit:
            run = begin(callbacks.model)
            run.is_told_by(callbacks)
            # Nobody else tells when this call returns or raises; its list of callbacks is local to it.
            run.until = weakref.ref(callbacks, partial(_end, guard, run))

    return find


def _end(guard: Guard, run: Run, _: object) -> None:
    guard(run.fail, None)


def _caller() -> FrameType:
    """The frame that has called a hook."""
    frame = sys._getframe()
    while frame.f_globals["__name__"].startswith("cirron.") and frame.f_back is not None:
        frame = frame.f_back
    return frame
