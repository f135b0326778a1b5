"""`evaluation` and `prediction`, `build`, and where `fit` begins and ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import keras
from keras.callbacks import CallbackList

from cirron.hooks.leaving import leave, leave_unused
from cirron.hooks.tensorflow.found import Finder
from cirron.hooks.tensorflow.owner import owner_of
from cirron.hooks.tensorflow.runs import PREDICT, TEST, TRAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron._recorder.idle import AnyScope
    from cirron.hooks.guard import Guard
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.tensorflow.runs import Run, Runs

BUILD = "build"


def hook_trainers(target: Target, runs: Runs, finder: Finder, guard: Guard, patches: Patches) -> None:
    """Have each run of a model recorded, and what a backend does before the first to learn the model's shapes."""

    def hook(name: str, begin: Any) -> None:
        owner = owner_of(name, keras.Model)
        patches.set(owner, name, guard.around(begin, vars(owner)[name]))

    begin_epoch = guard.before(finder.at_epoch, CallbackList.on_epoch_begin)
    patches.set(CallbackList, "on_epoch_begin", begin_epoch)
    for name, kind in (("fit", TRAIN), ("evaluate", TEST), ("predict", PREDICT)):
        hook(name, partial(_begin_run, target, runs, kind))
    hook("_symbolic_build", partial(_begin_build, target, runs))


def finder_of(target: Target, runs: Runs, guard: Guard) -> Finder:
    """What finds a `fit` that has begun before."""
    return Finder(runs, guard, partial(_begin_run, target, runs, TRAIN))


def _begin_run(target: Target, runs: Runs, kind: str, model: Any, *args: object, **kwargs: object) -> Run:
    if kind == TRAIN:
        _watch(target, model)
    return runs.begin(kind, kwargs.get("callbacks"))


def _watch(target: Target, model: Any) -> None:
    if keras.backend.backend() in ("torch", "tensorflow"):  # which snapshots can read
        target.watch(model)


def _begin_build(target: Target, runs: Runs, model: Any, *args: object, **kwargs: object) -> _Build:
    run = runs.innermost()
    is_for_training = run is not None and run.kind == TRAIN
    return _Build(target.scope(BUILD), partial(_watch, target, model) if is_for_training else None)


class _Build:
    """There is nothing to do in it most of the time; a model may have no weights before."""

    def __init__(self, scope: AnyScope, watch: Callable[[], None] | None) -> None:
        self._scope = scope
        self._watch = watch
        scope.__enter__()

    def end(self) -> None:
        leave_unused(self._scope)
        if self._watch is not None:
            self._watch()

    def fail(self, error: BaseException | None) -> None:
        leave(self._scope, error)
