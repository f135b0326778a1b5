"""Serving: each call of a decorated function is a request with a scope tree of its own."""

from cirron.serving.decorator import inference

__all__ = ["inference"]
