"""`epoch` and `step`, and the marks of what is logged: the moments at which Keras tells its callbacks.

The list of callbacks is asked rather than a callback of ours added to it: the user's list stays as it is, Keras may go
on to call callbacks in other threads, and what is logged is converted for nobody.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from keras.callbacks import CallbackList

from cirron.hooks.tensorflow.runs import PREDICT, TEST, TRAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.guard import Guard
    from cirron.hooks.patches import Patches
    from cirron.hooks.tensorflow.runs import Run, Runs

    _Hears = Callable[..., None]  # a run, and what the list of callbacks is told


def hook_callback_lists(runs: Runs, guard: Guard, patches: Patches) -> None:
    """Have each list tell of the run that it is used in; the user's callbacks run within their epoch and step."""

    def hook(name: str, kind: str, before: _Hears | None, after: _Hears | None = None) -> None:
        method = vars(CallbackList)[name]
        if after is not None:
            method = guard.after(_heard(runs, kind, after), method)
        if before is not None:
            method = guard.before(_heard(runs, kind, before), method)
        patches.set(CallbackList, name, method)

    for kind in (TRAIN, TEST, PREDICT):
        hook(f"on_{kind}_begin", kind, _begin, _wait_for_first if kind != TRAIN else None)
        name = f"on_{kind}_batch_end"
        end_batch = guard.around(partial(_EndOfBatch.of, runs, kind), vars(CallbackList)[name])
        patches.set(CallbackList, name, end_batch)
    hook("on_test_end", TEST, _end_evaluation)
    hook("on_epoch_begin", TRAIN, _begin_epoch, _wait_for_first)
    hook("on_epoch_end", TRAIN, _end_steps, _end_epoch)


def _heard(runs: Runs, kind: str, hears: _Hears) -> Callable[..., None]:
    def hear(callbacks: Any, *told: Any, **named: Any) -> None:
        run = runs.told_by(callbacks, kind)
        if run is not None:
            hears(run, *told, **named)

    return hear


class _EndOfBatch:
    """What the callbacks do when a batch is over still belongs to its step, and all that is heard at each batch."""

    __slots__ = ("_batch", "_run")

    def __init__(self, run: Run, batch: int) -> None:
        self._run = run
        self._batch = batch

    @classmethod
    def of(cls, runs: Runs, kind: str, callbacks: Any, batch: int, logs: object = None) -> _EndOfBatch | None:
        """None where the list of callbacks tells of no run; here what is logged is not converted yet."""
        run = runs.told_by(callbacks, kind)
        if run is None:
            return None
        if kind != PREDICT:  # which logs what the model gives
            run.log(logs)
        return cls(run, batch)

    def end(self) -> None:
        self._run.wait_for(self._batch + 1)

    def fail(self, error: BaseException | None) -> None:
        """The exception ends the whole run."""


def _begin(run: Run, *told: object, **named: object) -> None:
    """The run knows its list of callbacks now, before those in it may tell of the same."""


def _wait_for_first(run: Run, *told: object, **named: object) -> None:
    run.wait_for(0)


def _begin_epoch(run: Run, epoch: int, logs: object = None) -> None:
    run.begin_epoch(epoch)


def _end_steps(run: Run, *told: object, **named: object) -> None:
    run.end_steps()


def _end_epoch(run: Run, epoch: int, logs: object = None) -> None:
    run.end_epoch(logs)


def _end_evaluation(run: Run, logs: object = None) -> None:
    run.end_steps()
    run.log(logs, "summary")
