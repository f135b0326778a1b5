"""Which models are being trained, of all that have been."""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cirron.snapshots.gradients import state_of
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
        before = self._seen
        self._seen = {key: _Seen(weakref.ref(share[0].model), _state(share)) for key, share in shares.items()}
        models = {key: share[0].model for key, share in shares.items()}
        learning = [model for key, model in models.items() if self._has_learned(shares[key], before.get(key))]
        return learning or list(models.values())

    def _has_learned(self, share: Sequence[Subject], before: _Seen | None) -> bool:
        model = share[0].model
        if before is None or before.of() is not model or before.state != self._seen[id(model)].state:
            return True
        return self._movement.has_moved(trained_tensors(share))


def trained_tensors(there: Sequence[Subject]) -> list[Any]:
    """Not the variables of TensorFlow: how far these come is not told."""
    return [each.tensor for each in there if each.is_trained and not is_variable(each.tensor)]


def _state(share: Sequence[Subject]) -> Hashable:
    """Of a variable nobody knows whether it has changed, but of its model how often its optimizer has."""
    if any(is_variable(each.tensor) for each in share):
        iterations = getattr(getattr(share[0].model, "optimizer", None), "iterations", None)
        return None if iterations is None else int(iterations)
    return tuple(state_of(tensor) for tensor in trained_tensors(share))
