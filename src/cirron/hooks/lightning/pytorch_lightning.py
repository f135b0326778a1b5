"""Hooks for PyTorch Lightning in the package `pytorch_lightning`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cirron.hooks.lightning.hooks import LightningHooks

if TYPE_CHECKING:
    from cirron.hooks.target import Target


class Hooks(LightningHooks):
    """See `cirron.hooks.registry.Hooks`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target, "pytorch_lightning")
