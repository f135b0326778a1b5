"""The values that a module has logged, from where Lightning collects them.

Loggers get some of these only: those that are meant for them, if there is a logger, in one of so many steps.
"""

from __future__ import annotations

import weakref
from typing import Any


class StepValues:
    """The values of one step, of which a collection keeps the latest until the epoch ends."""

    def __init__(self) -> None:
        self._seen: dict[str, weakref.ref[Any]] = {}

    def new_in(self, results: Any) -> dict[str, Any]:
        """What was logged since the call before, by the names that loggers are told."""
        items = [(key, item) for key, item in results.items() if item.meta.on_step]
        return {
            _name(results, item, on_step=True): item._forward_cache
            for key, item in items
            if self._is_new(key, item._forward_cache)
        }

    def _is_new(self, key: str, value: Any) -> bool:
        before = self._seen.get(key)
        if value is None or (before is not None and before() is value):
            return False
        self._seen[key] = weakref.ref(value)
        return True


def epoch_values(results: Any) -> dict[str, Any]:
    """What the values of an epoch have come to; nothing is computed that Lightning has not computed already."""
    return {
        _name(results, item, on_step=False): item._computed
        for item in results.values()
        if item.meta.on_epoch and not item.has_reset and item._computed is not None
    }


def _name(results: Any, item: Any, *, on_step: bool) -> str:
    """With an ending where the same value is logged for the step and the epoch."""
    name: str = results._forked_name(item, on_step)[1]
    return name
