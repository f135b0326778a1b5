"""`evaluation` and `prediction`, `build`, and where `fit` begins and ends."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import keras

from cirron.hooks.tensorflow.runs import PREDICT, TEST, TRAIN

if TYPE_CHECKING:
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.tensorflow.runs import Run, Runs

BUILD = "build"


def hook_trainers(target: Target, runs: Runs, patches: Patches) -> None:
    """Have each run of a model recorded, and what a backend does before the first to learn the model's shapes."""
    for name, kind in (("fit", TRAIN), ("evaluate", TEST), ("predict", PREDICT)):
        owner = _owner(name)
        patches.set(owner, name, _recorded(target, runs, kind, vars(owner)[name]))
    owner = _owner("_symbolic_build")
    patches.set(owner, "_symbolic_build", _build(target, vars(owner)["_symbolic_build"]))


def _owner(name: str) -> Any:
    """The class that gives models this method; it depends on the backend."""
    return next(each for each in keras.Model.__mro__ if name in vars(each))


def _recorded(target: Target, runs: Runs, kind: str, original: Any) -> Any:
    @functools.wraps(original)
    def run_model(model: Any, *args: Any, **kwargs: Any) -> Any:
        run = _begin(target, runs, kind, model)
        try:
            result = original(model, *args, **kwargs)
        except BaseException as error:
            _end(runs, run, error)
            raise
        _end(runs, run, None)
        return result

    return run_model


def _begin(target: Target, runs: Runs, kind: str, model: Any) -> Run | None:
    try:
        if kind == TRAIN and keras.backend.backend() in ("torch", "tensorflow"):  # which snapshots can read
            target.watch(model)
        return runs.begin(kind)
    except Exception as error:  # noqa: BLE001 - the user's own run goes on
        target.faults.note("hooks.tensorflow", error, "a run of a Keras model is not recorded")
        return None


def _end(runs: Runs, run: Run | None, error: BaseException | None) -> None:
    if run is not None:
        runs.end(run, error)


def _build(target: Target, original: Any) -> Any:
    @functools.wraps(original)
    def symbolic_build(model: Any, *args: Any, **kwargs: Any) -> Any:
        scope = target.scope(BUILD)
        scope.__enter__()
        try:
            result = original(model, *args, **kwargs)
        except BaseException as error:
            scope.__exit__(type(error), error, None)
            raise
        if not scope._cancel():  # there is nothing to do most of the time
            scope.__exit__(None, None, None)
        return result

    return symbolic_build
