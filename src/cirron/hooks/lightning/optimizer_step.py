"""`optimizer_step` beside the forward and the backward that Lightning has its optimizers call.

With automatic optimization `step` is called with a closure, which computes the gradients before the optimizer does
anything. So the scope of the step opens once that has been, and all trees look alike.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cirron.hooks.leaving import leave
from cirron.hooks.names import CANONICAL, OPTIMIZER_STEP

if TYPE_CHECKING:
    from cirron._recorder.idle import AnyScope
    from cirron.hooks.guard import Guard
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target


class OptimizerStepHooks:
    """Opens `optimizer_step` for Lightning's optimizers; those of torch in it find it open."""

    def __init__(self, target: Target, guard: Guard) -> None:
        self._target = target
        self._guard = guard
        self._here = _Here()

    def install(self, patches: Patches, optimizer: Any, closure: Any) -> None:
        """Begin to record; the classes are Lightning's."""
        patches.set(optimizer, "step", self._guard.around(self._begin, optimizer.step))
        patches.set(closure, "__call__", self._beside(closure.__call__))

    def _begin(self, *args: object, **kwargs: object) -> _Step:
        step = self._here.step = _Step(self._target, self._here)
        return step

    def _beside(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call_closure(*args: Any, **kwargs: Any) -> Any:
            step, self._here.step = (
                self._here.step,
                None,
            )  # an optimizer that calls it again is at work already
            if step is None:
                return original(*args, **kwargs)
            self._guard(step.wait)
            result = original(*args, **kwargs)
            self._guard(step.go_on)
            return result

        return call_closure


class _Here(threading.local):
    """The step that the calling thread has just begun."""

    step: _Step | None = None


class _Step:
    def __init__(self, target: Target, here: _Here) -> None:
        self._target = target
        self._here = here
        self._scope: AnyScope | None = None
        self.go_on()

    def wait(self) -> None:
        """As if it had not begun."""
        if self._scope is not None and self._scope._cancel():
            self._scope = None

    def go_on(self) -> None:
        if self._scope is None:
            self._scope = self._target.scope_unless(OPTIMIZER_STEP, (OPTIMIZER_STEP,), CANONICAL)
            if self._scope is not None:
                self._scope.__enter__()

    def end(self) -> None:
        self.fail(None)

    def fail(self, error: BaseException | None) -> None:
        self._here.step = None
        leave(self._scope, error)
