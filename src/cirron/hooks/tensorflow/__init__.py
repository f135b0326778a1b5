"""Hooks into Keras 3, whatever its backend: epochs, steps, evaluations and predictions, and what they log."""

from cirron.hooks.tensorflow.hooks import Hooks

__all__ = ["Hooks"]
