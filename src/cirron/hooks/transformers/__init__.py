"""Hooks for the Trainer of transformers."""

from cirron.hooks.transformers.hooks import Hooks

__all__ = ["Hooks"]
