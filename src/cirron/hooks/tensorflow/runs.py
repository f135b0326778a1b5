"""The calls of `fit`, `evaluate` and `predict` that are under way, and what each has open."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from cirron.hooks.names import PREDICTION
from cirron.hooks.owned_loop import OwnedLoop

if TYPE_CHECKING:
    from collections.abc import Callable

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
        logs: of the batch at hand, until they are marked.
        until: kept with the run, to tell when it ends where no call does.
    """

    def __init__(self, target: Target, kind: str, under_way: list[Run]) -> None:
        self.kind = kind
        self.is_first = False
        self.logs: Any = None
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
        return self._callbacks() is callbacks

    def begin_epoch(self, epoch: int) -> None:
        """An epoch of `fit` begins."""
        self._loop.begin_epoch(epoch)

    def wait_for_first(self) -> None:
        """Keras turns to the first batch."""
        self.is_first = True
        self._loop.next_step(0)

    def end_batch(self, batch: int) -> None:
        """Nothing more happens with the batch of this index, and Keras turns to the next."""
        if self.logs is not None:  # no numbers were made of them, or in another thread
            logs, self.logs = self.logs, None
            mark_all(self._mark, logs)
        self.is_first = False
        self._loop.next_step(batch + 1)

    def validate_with(self, callbacks: Any) -> None:
        """Another run begins; the validation in `fit` has its list of callbacks, and is in no step."""
        told_by = None if self._callbacks is None else self._callbacks()
        if told_by is not None and told_by is callbacks:
            self.end_steps()

    def end_steps(self) -> None:
        """There is no further batch."""
        self._loop.end_steps()

    def end_epoch(self, logs: Any) -> None:
        """The epoch, with its callbacks, is over."""
        self.log(logs)
        self._loop.end()

    def log(self, logs: Any) -> None:
        """Mark the values at the end of an epoch or evaluation."""
        mark_all(self._mark, logs, "summary")

    def end(self) -> None:
        """It returns, or goes on unrecorded."""
        if self._leave():
            self._loop.end()

    def fail(self, error: BaseException | None) -> None:
        """It raises this."""
        if self._leave():
            self._loop.fail(error)

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


def mark_all(mark: Callable[..., None], logs: Any, *kind: str) -> None:
    """Mark what Keras logs, without waiting for what a device still computes."""
    if not isinstance(logs, dict):
        return
    for name, value in logs.items():
        if isinstance(value, dict):  # a metric with several values
            mark_all(mark, value, *kind)
        else:
            mark(name, value, *kind)
