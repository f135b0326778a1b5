"""All hooks of Keras together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cirron.hooks.guard import Guard
from cirron.hooks.patches import Patches
from cirron.hooks.tensorflow.batch_ends import BatchEnds
from cirron.hooks.tensorflow.callback_lists import hook_callback_lists
from cirron.hooks.tensorflow.data import hook_data
from cirron.hooks.tensorflow.optimizers import hook_optimizers
from cirron.hooks.tensorflow.runs import Runs
from cirron.hooks.tensorflow.trainers import finder_of, hook_trainers

if TYPE_CHECKING:
    from cirron.hooks.target import Target


class Hooks:
    """See `cirron.hooks.registry.Hooks`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._patches = Patches()
        self._runs = Runs(target)

    def install(self) -> None:
        """Begin to record."""
        guard = Guard("tensorflow", self._target.faults)
        finder = finder_of(self._target, self._runs, guard)
        hook_callback_lists(self._runs, guard, self._patches)
        BatchEnds(self._target, self._runs, finder, guard).hook(self._patches)
        hook_trainers(self._target, self._runs, finder, guard, self._patches)
        hook_data(self._target, self._runs, guard, self._patches)
        hook_optimizers(self._target, self._patches)

    def remove(self) -> None:
        """Put Keras back as it was."""
        self._runs.end_all()
        self._patches.undo()
