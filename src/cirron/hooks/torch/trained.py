"""What optimizers train: for each of them the modules that have its parameters, found once and not at each step."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

from torch.nn import Parameter

from cirron import signals
from cirron._recorder import Recorded
from cirron.hooks.names import CANONICAL, OPTIMIZER_STEP
from cirron.hooks.torch.countdown import Countdown
from cirron.hooks.torch.witness import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.target import Target
    from cirron.hooks.torch.here import Here
    from cirron.hooks.torch.witness import Witness

_all: weakref.WeakSet[Trained] = weakref.WeakSet()


class Trained:
    """Brings optimizers and modules together by the parameters that they share, and has these watched.

    An optimizer counts from its first step on, whenever it was made; a module from its first outermost call that
    discovery sees. What no module has is watched as the optimizer's.
    """

    def __init__(self, target: Target, here: Here, steps: Witness) -> None:
        self._target = target
        self._here = here
        self._witness = steps
        self._steps = Countdown()
        self._optimizers: dict[int, weakref.ref[Any]] = {}
        self._modules: dict[int, weakref.ref[Any]] = {}
        _all.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it is None, as what it puts into scopes is."""
        return type(None), ()

    def look(self) -> None:
        """Learn which optimizers there are, for some steps."""
        self._steps.begin()
        self._witness.wanted_by(self)

    def look_again(self) -> None:
        """A session has begun that knows of no optimizer."""
        self._optimizers.clear()
        self.look()

    def meet(self, module: Any) -> None:
        """An outermost module with parameters has been called."""
        if _is_known(self._modules, module):
            return
        self._modules[id(module)] = weakref.ref(module)
        ids = {id(each) for each in module.parameters()}
        if any(not ids.isdisjoint(parameter_ids(optimizer)) for optimizer in _living(self._optimizers)):
            self._target.watch(module)

    def in_scope(self, step: Callable[..., Any]) -> Recorded:
        """`step` of a class of optimizers in a scope; each optimizer is noticed, and the last step of an epoch."""
        in_scope = Recorded(step, self._target.find_recorder, OPTIMIZER_STEP, (OPTIMIZER_STEP,), CANONICAL)
        self._witness.add(in_scope, self._tell)
        return in_scope

    def _tell(self, optimizer: Any) -> None:
        """Somebody wants to know of steps."""
        self._here.work(Work.LEARNING if _trains_module(optimizer) else Work.BACKWARD)
        if not _is_known(self._optimizers, optimizer):
            self._steps.begin()
            self._guarded(self._notice, optimizer)
        if not self._steps.count():
            self._witness.enough_for(self)
        self.keep_if_last(optimizer)

    def keep_if_last(self, optimizer: Any) -> None:
        """Look at the gradients that are there now, in the last step of an epoch."""
        if self._here.is_last_step():
            self._guarded(self._keep_gradients, optimizer)

    def _guarded(self, look: Callable[[Any], None], optimizer: Any) -> None:
        try:
            look(optimizer)
        except Exception as error:  # of an optimizer unlike any that torch has
            if signals.has_raised(error):
                raise
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


def _after_fork_in_child() -> None:
    """The child has a session of its own, in which a training may go on."""
    for each in list(_all):
        each.look_again()


os.register_at_fork(after_in_child=_after_fork_in_child)


def parameter_ids(optimizer: Any) -> set[int]:
    """Of all that an optimizer steps."""
    return {id(each) for group in optimizer.param_groups for each in group["params"]}


def _trains_module(optimizer: Any) -> bool:
    """Not so one that changes an input, as an attack on a model does."""
    return any(
        isinstance(each, Parameter) for group in optimizer.param_groups[:1] for each in group["params"][:1]
    )


def _is_known(references: dict[int, weakref.ref[Any]], thing: Any) -> bool:
    reference = references.get(id(thing))
    return reference is not None and reference() is thing


def _living(references: dict[int, weakref.ref[Any]]) -> list[Any]:
    for key in [key for key, reference in references.items() if reference() is None]:
        del references[key]
    return [thing for reference in list(references.values()) if (thing := reference()) is not None]
