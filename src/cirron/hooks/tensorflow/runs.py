"""The calls of `fit`, `evaluate` and `predict` that are under way, and what each has open."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from cirron.hooks.names import PREDICTION
from cirron.hooks.owned_loop import OwnedLoop

if TYPE_CHECKING:
    from cirron.hooks.target import Target

# The kinds of runs, as they are called in the names of a callback's methods.
TRAIN = "train"
TEST = "test"
PREDICT = "predict"


class Run:
    """One call of `fit`, `evaluate` or `predict`.

    Attributes:
        kind: `TRAIN`, `TEST` or `PREDICT`.
        is_first: whether the batch at hand is the first of its epoch, evaluation or prediction.
        until: kept with the run, to tell when it ends where no call does.
    """

    def __init__(self, target: Target, kind: str, under_way: list[Run]) -> None:
        self.kind = kind
        self.is_first = False
        self._mark = target.mark
        self._under_way = under_way
        self._loop = OwnedLoop(target)
        self.until: Any = None
        self._callbacks: weakref.ref[Any] | None = None
        if kind == TEST:
            self._loop.begin_evaluation()
        elif kind == PREDICT:
            self._loop.begin_evaluation(PREDICTION)

    def is_told_by(self, callbacks: Any) -> bool:
        """Whether this list of callbacks tells of it: the first one that does, not lists that are callbacks in it."""
        if self._callbacks is None:
            self._callbacks = weakref.ref(callbacks)
        return self._has(callbacks)

    def begin_epoch(self, epoch: int) -> None:
        """An epoch of `fit` begins."""
        self._loop.begin_epoch(epoch)

    def wait_for(self, batch: int) -> None:
        """Nothing more happens with the batch before, and Keras turns to the one with this index."""
        self.is_first = batch == 0
        self._loop.next_step(batch)

    def validate_with(self, callbacks: Any) -> None:
        """Another run begins; the validation in `fit` has its list of callbacks, and is in no step."""
        if callbacks is not None and self._has(callbacks):
            self.end_steps()

    def end_steps(self) -> None:
        """There is no further batch."""
        self._loop.end_steps()

    def end_epoch(self, logs: Any) -> None:
        """The epoch, with its callbacks, is over."""
        self.log(logs, "summary")
        self._loop.end()

    def log(self, logs: Any, kind: str = "point") -> None:
        """Mark what Keras logs, without waiting for what a device still computes."""
        if not isinstance(logs, dict):
            return
        for name, value in logs.items():
            if isinstance(value, dict):  # a metric with several values
                self.log(value, kind)
            else:
                self._mark(name, value, kind)

    def end(self) -> None:
        """It returns, or goes on unrecorded."""
        if self._leave():
            self._loop.end()

    def fail(self, error: BaseException | None) -> None:
        """It raises this."""
        if self._leave():
            self._loop.fail(error)

    def _has(self, callbacks: Any) -> bool:
        return self._callbacks is not None and self._callbacks() is callbacks

    def _leave(self) -> bool:
        """Whether it was still recorded."""
        is_under_way = self in self._under_way
        if is_under_way:
            self._under_way.remove(self)
        return is_under_way


class Runs:
    """Those of each thread, one within another."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._here = _Here()

    def begin(self, kind: str, callbacks: Any) -> Run:
        """One more is under way, with the callbacks that it is called with."""
        runs = self._here.runs
        if runs:
            runs[-1].validate_with(callbacks)
        run = Run(self._target, kind, runs)
        runs.append(run)
        return run

    def end_all(self) -> None:
        """Let those under way go on unrecorded."""
        for run in reversed(self._here.runs[:]):
            run.end()

    def innermost(self) -> Run | None:
        """The one at work."""
        runs = self._here.runs
        return runs[-1] if runs else None

    def told_by(self, callbacks: Any, kind: str) -> Run | None:
        """The one of which a list of callbacks tells; None for a list that somebody uses without Keras' own loops."""
        runs = self._here.runs
        return runs[-1] if runs and runs[-1].kind == kind and runs[-1].is_told_by(callbacks) else None


class _Here(threading.local):
    def __init__(self) -> None:
        self.runs: list[Run] = []
