"""`data_load`: the wait for a batch, where Keras fetches it in Python.

TensorFlow's own iterators are advanced within the compiled function, where nobody can tell the two apart.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from keras.src.trainers.data_adapters.torch_data_loader_adapter import TorchDataLoaderAdapter
from keras.src.trainers.epoch_iterator import EpochIterator

from cirron.hooks.names import CANONICAL, DATA_LOAD, NO_LOAD_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cirron._recorder.idle import AnyScope
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.tensorflow.runs import Runs


def hook_data(target: Target, runs: Runs, patches: Patches) -> None:
    """Have fetches recorded."""

    def is_first() -> bool:
        run = runs.innermost()
        return run is not None and run.is_first

    patches.set(EpochIterator, "__next__", _loading(target, EpochIterator.__next__, is_first))
    _hook_torch_loaders(target, patches)


def _hook_torch_loaders(target: Target, patches: Patches) -> None:
    """Of a torch loader TensorFlow fetches batches in a thread of its own, and before, a few to learn their shapes."""
    adapter = TorchDataLoaderAdapter
    batches_of = adapter.get_numpy_iterator

    @functools.wraps(batches_of)
    def get_numpy_iterator(self: Any) -> Iterator[Any]:
        batches = batches_of(self)
        load = _loading(target, type(batches).__next__, _never)
        return iter(functools.partial(load, batches), object())

    patches.set(adapter, "get_numpy_iterator", get_numpy_iterator)
    patches.set(adapter, "get_tf_dataset", _loading(target, adapter.get_tf_dataset, _never))


def _never() -> bool:
    return False


def _loading(
    target: Target, fetch: Callable[[Any], Any], is_first: Callable[[], bool]
) -> Callable[[Any], Any]:
    @functools.wraps(fetch)
    def load(source: Any) -> Any:
        scope = _scope(target, is_first)
        if scope is None:
            return fetch(source)
        scope.__enter__()
        try:
            batch = fetch(source)
        except StopIteration:
            if not scope._cancel():
                scope.__exit__(None, None, None)
            raise
        except BaseException as error:
            scope.__exit__(type(error), error, None)
            raise
        scope.__exit__(None, None, None)
        return batch

    return load


def _scope(target: Target, is_first: Callable[[], bool]) -> AnyScope | None:
    scope = target.scope_unless(DATA_LOAD, NO_LOAD_IN, CANONICAL)
    return scope if scope is None or not is_first() else target.scope(DATA_LOAD, first=True)
