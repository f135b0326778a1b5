"""Loops over the loaders of accelerate, which fetch one batch ahead of the one that they give.

A step is around the user's work on its batch, so its `data_load` is the wait for what such a loader gives, however many
batches that fetches from the loader of torch inside.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from accelerate.data_loader import DataLoaderDispatcher, DataLoaderShard, SkipDataLoader

from cirron.hooks.patches import Patches
from cirron.hooks.torch.loaders import loaders_at_work

if TYPE_CHECKING:
    from cirron.hooks.target import Target
    from cirron.hooks.torch.traversal import Traversal


class Hooks:
    """See `cirron.hooks.registry.Hooks`. They work together with those of torch, and add nothing without them."""

    def __init__(self, target: Target) -> None:
        self._patches = Patches()

    def install(self) -> None:
        """Begin to record."""
        for kind in (DataLoaderShard, DataLoaderDispatcher, SkipDataLoader):
            self._patches.set(kind, "__iter__", _followed(kind.__iter__))

    def remove(self) -> None:
        """Put accelerate back as it was."""
        self._patches.undo()


def _followed(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def begin_loop(loader: Any) -> Any:
        return _Batches(loader, original(loader))

    return begin_loop


class _Batches:
    """The batches of a loader, each with its step; in all else the generator that gives them."""

    def __init__(self, loader: Any, batches: Iterator[Any]) -> None:
        self._loader = loader
        self._batches = batches
        self._traversal: Traversal | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        traversal = self._followed()
        return next(self._batches) if traversal is None else traversal.fetch(next, self._batches)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    def _followed(self) -> Traversal | None:
        """None where nobody records; another one when a session has ended and the next has begun."""
        loaders = loaders_at_work()
        if loaders is None:
            return None
        if self._traversal is None or not loaders.is_own(self._traversal):
            self._traversal = loaders.begin(self._loader)
        return self._traversal
