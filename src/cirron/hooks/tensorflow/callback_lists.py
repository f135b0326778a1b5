"""`epoch` and `step`, and the marks of what is logged: the moments at which Keras tells its callbacks.

The list of callbacks is asked rather than a callback of ours added to it: the user's list stays as it is, Keras may go
on to call callbacks in other threads, and what is logged is converted for nobody.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from keras.callbacks import CallbackList

from cirron.hooks.tensorflow.runs import PREDICT, TEST, TRAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.patches import Patches
    from cirron.hooks.tensorflow.runs import Runs


def hook_callback_lists(runs: Runs, patches: Patches) -> None:
    """Have each list tell of the run that it is used in; the user's callbacks run within their epoch and step."""

    def hook(name: str, wrapped: Callable[[Runs, str, Any], Any], kind: str) -> None:
        patches.set(CallbackList, name, wrapped(runs, kind, vars(CallbackList)[name]))

    for kind in (TRAIN, TEST, PREDICT):
        hook(f"on_{kind}_begin", _begin, kind)
        hook(f"on_{kind}_batch_begin", _batch_begin, kind)
        hook(f"on_{kind}_batch_end", _batch_end, kind)
    hook("on_test_end", _test_end, TEST)
    hook("on_epoch_begin", _epoch_begin, TRAIN)
    hook("on_epoch_end", _epoch_end, TRAIN)


def _begin(runs: Runs, kind: str, original: Any) -> Any:
    @functools.wraps(original)
    def on_begin(callbacks: Any, logs: Any = None) -> None:
        run = runs.told_by(callbacks, kind)
        original(callbacks, logs)
        if run is not None and kind != TRAIN:
            run.wait_for(0)

    return on_begin


def _epoch_begin(runs: Runs, kind: str, original: Any) -> Any:
    @functools.wraps(original)
    def on_epoch_begin(callbacks: Any, epoch: int, logs: Any = None) -> None:
        run = runs.told_by(callbacks, kind)
        if run is not None:
            run.begin_epoch(epoch)
        original(callbacks, epoch, logs)
        if run is not None:
            run.wait_for(0)

    return on_epoch_begin


def _batch_begin(runs: Runs, kind: str, original: Any) -> Any:
    @functools.wraps(original)
    def on_batch_begin(callbacks: Any, batch: int, logs: Any = None) -> None:
        run = runs.told_by(callbacks, kind)
        if run is not None:
            run.has_batch()
        original(callbacks, batch, logs)

    return on_batch_begin


def _batch_end(runs: Runs, kind: str, original: Any) -> Any:
    @functools.wraps(original)
    def on_batch_end(callbacks: Any, batch: int, logs: Any = None) -> None:
        run = runs.told_by(callbacks, kind)
        if run is not None and kind != PREDICT:  # whose logs are the predictions themselves
            run.log(logs)
        original(callbacks, batch, logs)
        if run is not None:
            run.wait_for(batch + 1)

    return on_batch_end


def _epoch_end(runs: Runs, kind: str, original: Any) -> Any:
    @functools.wraps(original)
    def on_epoch_end(callbacks: Any, epoch: int, logs: Any = None) -> None:
        run = runs.told_by(callbacks, kind)
        if run is not None:
            run.end_steps()
        original(callbacks, epoch, logs)
        if run is not None:
            run.end_epoch(logs)

    return on_epoch_end


def _test_end(runs: Runs, kind: str, original: Any) -> Any:
    @functools.wraps(original)
    def on_test_end(callbacks: Any, logs: Any = None) -> None:
        run = runs.told_by(callbacks, kind)
        if run is not None:
            run.end_steps()
            run.log(logs, "summary")
        original(callbacks, logs)

    return on_test_end
