"""All hooks of PyTorch together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cirron.hooks.patches import Patches
from cirron.hooks.torch.backward import hook_backward
from cirron.hooks.torch.devices import DeviceHooks
from cirron.hooks.torch.discovery import Discovery
from cirron.hooks.torch.here import Here
from cirron.hooks.torch.loaders import LoaderHooks
from cirron.hooks.torch.optimizers import OptimizerHooks
from cirron.hooks.torch.recorded import Training
from cirron.hooks.torch.scalers import ScalerHooks
from cirron.hooks.torch.trained import Trained
from cirron.hooks.torch.witness import Witness, Witnesses

if TYPE_CHECKING:
    from cirron.hooks.target import Target


class Hooks:
    """See `cirron.hooks.registry.Hooks`."""

    def __init__(self, target: Target) -> None:
        here, witnesses = Here(), Witnesses(Witness(), Witness())
        self._patches = Patches()
        training = Training(target, here, witnesses.calls)
        trained = Trained(target, here, witnesses.steps)
        self._discovery = Discovery(target, here, witnesses.calls, trained)
        self._loaders = LoaderHooks(target, here, witnesses, self._discovery)
        self._optimizers = OptimizerHooks(self._discovery, trained)
        self._scalers = ScalerHooks(target)
        self._devices = DeviceHooks(target, torch.cuda, torch._C)
        self._training = training
        self._target = target

    def install(self) -> None:
        """Begin to record."""
        self._loaders.install(self._patches)
        hook_backward(self._target, self._training, self._patches)
        self._optimizers.install(self._patches)
        self._scalers.install(self._patches)
        self._discovery.begin()
        self._devices.install()

    def remove(self) -> None:
        """Put torch back as it was."""
        self._devices.remove()
        self._discovery.end()
        self._optimizers.end()
        self._loaders.end()
        self._patches.undo()
