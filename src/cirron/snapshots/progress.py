"""Which models are being trained, of all that have been."""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cirron import signals
from cirron.snapshots.parameters import is_optimizer, parameters
from cirron.snapshots.variables import is_variable

if TYPE_CHECKING:
    from cirron.snapshots.movement import Movement
    from cirron.snapshots.subjects import Subject


class _Seen(NamedTuple):
    """A model at the end of an epoch, and what changes when somebody trains it."""

    of: weakref.ref[Any]
    state: Hashable


class Progress:
    """Knows which models have learned something since the epoch before: models outlive their training.

    Where as far as it can tell none has, each may have.

    Args:
        movement: knows by values what torch cannot tell, such as of an optimizer that changes `parameter.data`.
    """

    def __init__(self, movement: Movement) -> None:
        self._movement = movement
        self._seen: dict[int, _Seen] = {}

    def learning(self, there: Sequence[Subject]) -> list[Any]:
        """The models among those of these parameters, at the end of an epoch."""
        shares: dict[int, list[Subject]] = defaultdict(list)
        for each in there:
            shares[id(each.model)].append(each)
        before = {key: seen for key, seen in self._seen.items() if seen.of() is not None}
        now = {key: _Seen(weakref.ref(share[0].model), _state(share)) for key, share in shares.items()}
        self._seen = before | now  # others are those of other threads
        learning = [
            share[0].model
            for key, share in shares.items()
            if now[key] != before.get(key) or self._movement.moved(trained(share))
        ]
        return learning or [share[0].model for share in shares.values()]


def trained(there: Sequence[Subject]) -> list[Subject]:
    """Those that are not frozen."""
    return [each for each in there if each.is_trained]


def stepped(there: Sequence[Subject], models: Sequence[Any]) -> list[Subject]:
    """Those that the optimizers among the models step; all that are not frozen where these step none of them.

    A model that follows another one, such as an average of its weights, is not trained though it is not frozen.
    """
    optimizers = [each for each in models if is_optimizer(each)]
    ids = {id(each.tensor) for optimizer in optimizers for each in parameters(optimizer)}
    of_all = trained(there)
    return [each for each in of_all if id(each.tensor) in ids] or of_all


def _state(share: Sequence[Subject]) -> Hashable:
    """Of a variable nobody knows whether it has changed, but of its model how often its optimizer has."""
    if any(is_variable(each.tensor) for each in share):
        return _iterations(share[0].model)
    return tuple(each.version for each in trained(share))


def _iterations(model: Any) -> int | None:
    try:
        return int(model.optimizer.iterations)
    except Exception as error:  # it has none, or one on each of several devices
        if signals.has_raised(error):
            raise
        return None
