"""All hooks of PyTorch together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cirron.hooks.patches import Patches
from cirron.hooks.torch.backward import hook_backward
from cirron.hooks.torch.discovery import Discovery
from cirron.hooks.torch.here import Here
from cirron.hooks.torch.loaders import LoaderHooks
from cirron.hooks.torch.optimizers import OptimizerHooks
from cirron.hooks.torch.scalers import ScalerHooks
from cirron.hooks.torch.trained import Trained

if TYPE_CHECKING:
    from cirron.hooks.target import Target


class Hooks:
    """See `cirron.hooks.registry.Hooks`."""

    def __init__(self, target: Target) -> None:
        here = Here()
        self._patches = Patches()
        trained = Trained(target, here)
        self._discovery = Discovery(target, here, trained)
        self._loaders = LoaderHooks(target, here, self._discovery)
        self._optimizers = OptimizerHooks(target, self._discovery, trained)
        self._scalers = ScalerHooks(target)
        self._target = target

    def install(self) -> None:
        """Begin to record."""
        self._loaders.install(self._patches)
        hook_backward(self._target, self._patches)
        self._optimizers.install(self._patches)
        self._scalers.install(self._patches)
        self._discovery.begin()

    def remove(self) -> None:
        """Put torch back as it was."""
        self._discovery.end()
        self._loaders.end()
        self._patches.undo()
