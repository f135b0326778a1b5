"""`optimizer_step`: the step of an optimizer, whichever its class and whenever it was made.

When the first optimizer of a class is made, torch replaces the `step` of that class by a function that calls the
original, which it holds in a closure. The scope goes there: a scheduler that wrapped `step` earlier comes by too.
"""

from __future__ import annotations

import functools
from types import FunctionType
from typing import TYPE_CHECKING, Any

from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer

from cirron.hooks.patches import WeakPatches
from cirron.hooks.torch.uncompiled import passed_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CellType

    from cirron.hooks.patches import Patches
    from cirron.hooks.torch.discovery import Discovery
    from cirron.hooks.torch.trained import Trained

_ORIGINAL = "func"  # the name of torch's variable for it


class OptimizerHooks:
    """Opens `optimizer_step`; an optimizer that steps another one has one scope for both."""

    def __init__(self, discovery: Discovery, trained: Trained) -> None:
        self._discovery = discovery
        self._trained = trained
        self._steps = WeakPatches("cell_contents", _cell_of)

    def install(self, patches: Patches) -> None:
        """Begin to record steps, of optimizers made before and after."""
        original = Optimizer.__init__

        @functools.wraps(original)
        def init_optimizer(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            original(optimizer, *args, **kwargs)
            self._hook(type(optimizer))
            self._discovery.look()

        for kind in _subclasses(Optimizer):
            self._hook(kind)
        patches.set(Optimizer, "__init__", init_optimizer)

    def end(self) -> None:
        """Stop recording, and leave all classes as they were."""
        self._steps.undo()

    def _hook(self, kind: type) -> None:
        hooked = _hooked_step(kind)
        if hooked is not None and hooked not in self._steps:
            self._steps.set(hooked, self._in_scope(_cell_of(hooked).cell_contents))

    def _in_scope(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """As `unless_compiling` has it."""
        in_scope, trained = self._trained.in_scope(step), self._trained

        @passed_over
        @functools.wraps(step)
        def step_optimizer(*args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling() or in_scope is None:
                return step(*args, **kwargs)
            if len(args) == 1 and not kwargs:
                return in_scope(*args)
            result = in_scope(*args, **kwargs)
            if _has_closure(*args, **kwargs):
                trained.keep_if_last(args[0])
            return result

        return step_optimizer


def _has_closure(optimizer: object, closure: object = None, *_: object, **__: object) -> bool:
    return closure is not None


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


def _hooked_step(kind: type) -> FunctionType | None:
    """Torch's function in the place of a class's `step`; None as long as there is no optimizer of that class."""
    step = getattr(kind, "step", None)
    if not isinstance(step, FunctionType) or not getattr(step, "hooked", False):
        return None
    return step if _ORIGINAL in step.__code__.co_freevars else None


def _cell_of(hooked: FunctionType) -> CellType:
    """Where torch keeps the `step` that the class came with."""
    assert hooked.__closure__ is not None
    return hooked.__closure__[hooked.__code__.co_freevars.index(_ORIGINAL)]
