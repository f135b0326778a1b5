"""What optimizers train: for each of them the modules that have its parameters, found once and not at each step."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

from torch.compiler import is_dynamo_compiling

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron._recorder import Recorded
    from cirron.hooks.target import Target
    from cirron.hooks.torch.here import Here


class Trained:
    """Brings optimizers and modules together by the parameters that they share, and has these watched.

    An optimizer counts from its first step on, whenever it was made; a module from its first outermost call that
    discovery sees. What no module has is watched as the optimizer's.
    """

    def __init__(self, target: Target, here: Here) -> None:
        self._target = target
        self._here = here
        self._optimizers: dict[int, weakref.ref[Any]] = {}
        self._modules: dict[int, weakref.ref[Any]] = {}

    def meet(self, module: Any) -> None:
        """An outermost module with parameters has been called."""
        if _is_known(self._modules, module):
            return
        self._modules[id(module)] = weakref.ref(module)
        ids = {id(each) for each in module.parameters()}
        if any(not ids.isdisjoint(parameter_ids(optimizer)) for optimizer in _living(self._optimizers)):
            self._target.watch(module)

    def noticing(self, step: Callable[..., Any], in_scope: Recorded) -> Callable[..., Any]:
        """`step` of a class of optimizers, which notices each optimizer once, and the last step of an epoch."""
        optimizers, here = self._optimizers, self._here

        @functools.wraps(step)
        def call(*args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling():
                return step(*args, **kwargs)
            if args:
                reference = optimizers.get(id(args[0]))
                if reference is None or reference() is not args[0]:
                    self._guarded(self._notice, args[0])
                if here.is_last_step():
                    self._guarded(self._keep_gradients, args[0])
            return in_scope(*args, **kwargs)

        return call

    def _guarded(self, look: Callable[[Any], None], optimizer: Any) -> None:
        try:
            look(optimizer)
        except Exception as error:  # noqa: BLE001 - of an optimizer unlike any that torch has
            kind = type(optimizer).__name__
            self._target.faults.note("hooks.torch", error, f"what {kind} trains is not looked at")

    def _notice(self, optimizer: Any) -> None:
        self._optimizers[id(optimizer)] = weakref.ref(optimizer)
        self._watch_modules_of(optimizer)
        self._target.watch(optimizer)

    def _keep_gradients(self, optimizer: Any) -> None:
        self._target.keep_gradients(parameter_ids(optimizer))

    def _watch_modules_of(self, optimizer: Any) -> None:
        """The larger ones first: what is in two of them has its name from the larger one."""
        wanted = parameter_ids(optimizer)
        ids = [(module, {id(each) for each in module.parameters()}) for module in _living(self._modules)]
        for module, of_module in sorted(ids, key=lambda each: len(each[1]), reverse=True):
            if not wanted.isdisjoint(of_module):
                self._target.watch(module)


def parameter_ids(optimizer: Any) -> set[int]:
    """Of all that an optimizer steps."""
    return {id(each) for group in optimizer.param_groups for each in group["params"]}


def _is_known(references: dict[int, weakref.ref[Any]], thing: Any) -> bool:
    reference = references.get(id(thing))
    return reference is not None and reference() is thing


def _living(references: dict[int, weakref.ref[Any]]) -> list[Any]:
    for key in [key for key, reference in references.items() if reference() is None]:
        del references[key]
    return [thing for reference in list(references.values()) if (thing := reference()) is not None]
