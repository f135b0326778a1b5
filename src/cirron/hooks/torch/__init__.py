"""Hooks into PyTorch: epochs and steps from its loaders; data_load, forward, backward and optimizer_step in them."""

from cirron.hooks.torch.hooks import Hooks

__all__ = ["Hooks"]
