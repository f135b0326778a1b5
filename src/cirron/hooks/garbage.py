"""`gc_pause_ms`: the pauses in which the interpreter looks for garbage, as marks of the scope that they held up."""

from __future__ import annotations

import gc

from cirron._recorder import GarbageCallback

TYPE_CHECKING = False  # as in cirron.instance
if TYPE_CHECKING:
    from cirron.hooks.target import Target

LEAST_NS = 1_000_000  # the many collections of young objects take microseconds, and explain nothing


class GarbagePauses:
    """Marks the collections that take a millisecond or more."""

    def __init__(self) -> None:
        self._target: Target | None = None
        self._callback: GarbageCallback | None = None

    def record_into(self, target: Target | None) -> None:
        """From now on record there; None to be as if it had never been."""
        if target is self._target:
            return
        self._target = target
        if self._callback in gc.callbacks:
            gc.callbacks.remove(self._callback)
        self._callback = None
        if target is not None:
            self._listen_for(target)

    def _listen_for(self, target: Target) -> None:
        find = target.find_recorder
        recorder = None if find is None else find()
        if recorder is not None or find is None:
            self._callback = GarbageCallback(recorder, LEAST_NS)
            gc.callbacks.append(self._callback)
