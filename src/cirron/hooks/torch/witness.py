"""What happens in hooked functions, told to those who want to know, as long as they do."""

from __future__ import annotations

import weakref
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from cirron.hooks.torch.uncompiled import unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from cirron._recorder import Recorded


class Work(IntEnum):
    """What a program does with a batch; from `TRAINING_CALL` on it can be learned from."""

    CALL = 0  # of a module, in evaluation mode or without gradients
    TRAINING_CALL = 1
    BACKWARD = 2  # or a step of an optimizer without parameters of a module, as in an attack on the input
    LEARNING = 3  # a step of one that trains a module


class Witness:
    """Has something called before each call of hooked functions while anybody wants that; else it costs nothing.

    It keeps none of the functions alive.
    """

    def __init__(self) -> None:
        self._calls: dict[int, tuple[weakref.ref[Recorded], Callable[[Any], object]]] = {}
        self._who: set[Hashable] = set()

    def add(self, recorded: Recorded, tell: Callable[[Any], object]) -> None:
        """Have `tell`, which raises nothing, called with the first argument of each call of `recorded`."""
        calls, key = self._calls, id(recorded)
        calls[key] = (weakref.ref(recorded, lambda _: calls.pop(key, None)), unseen(tell))
        self._settle()

    def wanted_by(self, who: Hashable) -> None:
        """From here on, somebody wants to know."""
        self._who.add(who)
        self._settle()

    def enough_for(self, who: Hashable) -> None:
        """Somebody knows enough."""
        if who in self._who:
            self._who.discard(who)
            self._settle()

    def _settle(self) -> None:
        """Again where another thread, or a loop that dies meanwhile, has come between: a fork may lose a lock."""
        is_wanted = None
        while is_wanted is not bool(self._who):
            is_wanted = bool(self._who)
            for reference, tell in list(self._calls.values()):
                recorded = reference()
                if recorded is not None:
                    recorded.before = tell if is_wanted else None


class Witnesses(NamedTuple):
    """Of what a program does with its batches.

    Attributes:
        calls: of modules, and backward passes.
        steps: of optimizers.
    """

    calls: Witness
    steps: Witness

    def wanted_by(self, who: Hashable) -> None:
        """From here on, somebody wants to know of all of it."""
        for each in self:
            each.wanted_by(who)

    def enough_for(self, who: Hashable) -> None:
        """Somebody knows enough."""
        for each in self:
            each.enough_for(who)
