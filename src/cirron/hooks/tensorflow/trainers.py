"""`evaluation` and `prediction`, `build`, and where `fit` begins and ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import keras
from keras.callbacks import CallbackList

from cirron.hooks.leaving import leave, leave_unused
from cirron.hooks.tensorflow.found import finding
from cirron.hooks.tensorflow.owner import owner_of
from cirron.hooks.tensorflow.runs import PREDICT, TEST, TRAIN

if TYPE_CHECKING:
    from cirron._recorder.idle import AnyScope
    from cirron.hooks.guard import Guard
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.tensorflow.runs import Run, Runs

BUILD = "build"


def hook_trainers(target: Target, runs: Runs, guard: Guard, patches: Patches) -> None:
    """Have each run of a model recorded, and what a backend does before the first to learn the model's shapes."""

    def hook(name: str, begin: Any) -> None:
        owner = owner_of(name, keras.Model)
        patches.set(owner, name, guard.around(begin, vars(owner)[name]))

    find = finding(runs, guard, partial(_begin_run, target, runs, TRAIN))
    patches.set(CallbackList, "on_epoch_begin", guard.before(find, CallbackList.on_epoch_begin))
    for name, kind in (("fit", TRAIN), ("evaluate", TEST), ("predict", PREDICT)):
        hook(name, partial(_begin_run, target, runs, kind))
    hook("_symbolic_build", partial(_begin_build, target))


def _begin_run(target: Target, runs: Runs, kind: str, model: Any, *args: object, **kwargs: object) -> Run:
    if kind == TRAIN and keras.backend.backend() in ("torch", "tensorflow"):  # which snapshots can read
        target.watch(model)
    return runs.begin(kind, kwargs.get("callbacks"))


def _begin_build(target: Target, *args: object, **kwargs: object) -> _Build:
    return _Build(target.scope(BUILD))


class _Build:
    """There is nothing to do in it most of the time."""

    def __init__(self, scope: AnyScope) -> None:
        self._scope = scope
        scope.__enter__()

    def end(self) -> None:
        leave_unused(self._scope)

    def fail(self, error: BaseException | None) -> None:
        leave(self._scope, error)
