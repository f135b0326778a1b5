"""Scopes that frameworks get by themselves: one module or package a framework, and a registry that orders them."""

from cirron.hooks.registry import KNOWN, claim, release, state
from cirron.hooks.target import Target

__all__ = ["KNOWN", "Target", "claim", "release", "state"]
