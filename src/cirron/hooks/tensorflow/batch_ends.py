"""The end of a batch: that of its step, and marks of what is logged."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from keras.callbacks import CallbackList

from cirron.hooks.tensorflow.batch_logs import hook_batch_logs
from cirron.hooks.tensorflow.runs import PREDICT, TEST, TRAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.guard import Guard
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.tensorflow.found import Finder
    from cirron.hooks.tensorflow.runs import Run, Runs


class BatchEnds:
    """Hears of them; what the user's callbacks do then still belongs to the step.

    In few calls: where steps are short these are most of what hooks cost, for no cache holds what they need.
    """

    def __init__(self, target: Target, runs: Runs, finder: Finder, guard: Guard) -> None:
        self._target = target
        self._runs = runs
        self._finder = finder
        self._guard = guard

    def hook(self, patches: Patches) -> None:
        """Have lists of callbacks tell."""
        hook_batch_logs(self._target, self._runs, self._guard, patches)
        for kind in (TRAIN, TEST, PREDICT):
            name = f"on_{kind}_batch_end"
            patches.set(CallbackList, name, self._hooked(kind, vars(CallbackList)[name]))

    def _hooked(self, kind: str, original: Callable[..., None]) -> Callable[..., None]:
        guard, told_by = self._guard, self._runs.told_by
        is_logged = kind != PREDICT  # which logs what the model gives

        @functools.wraps(original)
        def on_batch_end(callbacks: Any, batch: int, logs: Any = None) -> None:
            run = told_by(callbacks, kind)
            if run is None:
                run = guard(self._amid_epoch, callbacks, kind)
            elif is_logged:
                run.logs = logs
            original(callbacks, batch, logs)
            if run is not None:
                guard(run.end_batch, batch)

        return on_batch_end

    def _amid_epoch(self, callbacks: Any, kind: str) -> Run | None:
        return self._finder.amid_epoch(callbacks) if kind == TRAIN else None
