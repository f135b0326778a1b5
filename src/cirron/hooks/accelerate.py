"""Loops over the loaders of accelerate, which fetch one batch ahead of the one that they give.

A step is around the user's work on its batch, so its `data_load` is the wait for what such a loader gives, however many
batches that fetches from the loader of torch inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelerate.data_loader import DataLoaderDispatcher, DataLoaderShard, SkipDataLoader

from cirron.hooks.patches import Patches
from cirron.hooks.torch.loaders import with_steps

if TYPE_CHECKING:
    from cirron.hooks.target import Target


class Hooks:
    """See `cirron.hooks.registry.Hooks`. They work together with those of torch, and add nothing without them."""

    def __init__(self, target: Target) -> None:
        self._patches = Patches()

    def install(self) -> None:
        """Begin to record."""
        for kind in (DataLoaderShard, DataLoaderDispatcher, SkipDataLoader):
            self._patches.set(kind, "__iter__", with_steps(kind.__iter__))

    def remove(self) -> None:
        """Put accelerate back as it was."""
        self._patches.undo()
