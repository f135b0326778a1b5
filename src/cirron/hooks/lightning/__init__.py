"""Hooks for PyTorch Lightning, which there is under two names."""

from cirron.hooks.lightning.hooks import LightningHooks

__all__ = ["LightningHooks"]
