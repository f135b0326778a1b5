"""`gc_pause_ms`: the pauses in which the interpreter looks for garbage, as marks of the scope that they held up."""

from __future__ import annotations

import gc
import time
from typing import Any

TYPE_CHECKING = False  # as in cirron.instance
if TYPE_CHECKING:
    from cirron.hooks.target import Target

LEAST_NS = 1_000_000  # the many collections of young objects take microseconds, and explain nothing


class GarbagePauses:
    """Marks the collections that take a millisecond or more."""

    def __init__(self) -> None:
        self._target: Target | None = None
        self._began_ns = 0

    def record_into(self, target: Target | None) -> None:
        """From now on record there; None to be as if it had never been."""
        if target is not self._target:
            self._target = target
            if self._note in gc.callbacks:
                gc.callbacks.remove(self._note)
            if target is not None:
                gc.callbacks.append(self._note)

    def _note(self, phase: str, info: dict[str, Any]) -> None:
        """Collections never overlap, whichever thread they hold up."""
        if phase == "start":
            self._began_ns = time.perf_counter_ns()
            return
        duration_ns = time.perf_counter_ns() - self._began_ns
        if duration_ns >= LEAST_NS and self._target is not None:
            generation, collected = info["generation"], info["collected"]
            self._target.mark("gc_pause_ms", duration_ns / 1e6, generation=generation, collected=collected)
