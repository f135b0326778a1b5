"""`epoch` and `step`, and the marks of what is logged: the moments at which Keras tells its callbacks.

The list of callbacks is asked rather than a callback of ours added to it: the user's list stays as it is, and Keras may
go on to call callbacks in other threads.
"""

from __future__ import annotations

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
    hook("on_test_end", TEST, _end_evaluation)
    hook("on_epoch_begin", TRAIN, _begin_epoch, _wait_for_first)
    hook("on_epoch_end", TRAIN, _end_steps, _end_epoch)


def _heard(runs: Runs, kind: str, hears: _Hears) -> Callable[..., None]:
    def hear(callbacks: Any, *told: Any, **named: Any) -> None:
        run = runs.told_by(callbacks, kind)
        if run is not None:
            hears(run, *told, **named)

    return hear


def _begin(run: Run, *told: object, **named: object) -> None:
    """The run knows its list of callbacks now, before those in it may tell of the same."""


def _wait_for_first(run: Run, *told: object, **named: object) -> None:
    run.wait_for_first()


def _begin_epoch(run: Run, epoch: int, logs: object = None) -> None:
    run.begin_epoch(epoch)


def _end_steps(run: Run, *told: object, **named: object) -> None:
    run.end_steps()


def _end_epoch(run: Run, epoch: int, logs: object = None) -> None:
    run.end_epoch(logs)


def _end_evaluation(run: Run, logs: object = None) -> None:
    run.end_steps()
    run.log(logs)
