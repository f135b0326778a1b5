"""`data_load`: the wait for a batch, where Keras fetches it in Python.

TensorFlow's own iterators are advanced within the compiled function, where nobody can tell the two apart.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from keras.src.trainers.data_adapters.torch_data_loader_adapter import TorchDataLoaderAdapter
from keras.src.trainers.epoch_iterator import EpochIterator

from cirron.hooks.data_load import DataLoad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cirron.hooks.guard import Guard
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.tensorflow.runs import Runs


def hook_data(target: Target, runs: Runs, guard: Guard, patches: Patches) -> None:
    """Have fetches recorded."""

    def begin(iterator: Any) -> DataLoad | None:
        run = runs.innermost()
        return DataLoad.begun(target, is_first=run is not None and run.is_first)

    def begin_in_adapter(source: Any) -> DataLoad | None:
        return DataLoad.begun(target)

    patches.set(EpochIterator, "__next__", guard.around(begin, EpochIterator.__next__))
    # Of a torch loader TensorFlow fetches batches in a thread of its own, and before, a few to learn their shapes.
    adapter = TorchDataLoaderAdapter
    learning = guard.around(begin_in_adapter, adapter.get_tf_dataset)
    fetching = _fetching(guard, begin_in_adapter, adapter.get_numpy_iterator)
    patches.set(adapter, "get_tf_dataset", learning)
    patches.set(adapter, "get_numpy_iterator", fetching)


def _fetching(guard: Guard, begin: Callable[[Any], DataLoad | None], batches_of: Any) -> Any:
    def next_of(batches: Any) -> Iterator[Any]:
        fetch = guard.around(begin, type(batches).__next__)
        return iter(functools.partial(fetch, batches), object())

    @functools.wraps(batches_of)
    def get_numpy_iterator(adapter: Any) -> Any:
        batches = batches_of(adapter)
        return guard(next_of, batches) or batches

    return get_numpy_iterator
