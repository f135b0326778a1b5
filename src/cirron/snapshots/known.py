"""What is known of parameters, for as long as their models live."""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from cirron.snapshots.subjects import Subject

T = TypeVar("T")


class Known(Generic[T]):
    """Something of each parameter, which goes with its model.

    A parameter is known as this tensor, under its name, of this model. There is no reference to the tensor itself:
    torch refuses to convert a model in place while its tensors have weak ones, and strong ones would keep them alive.
    """

    def __init__(self) -> None:
        self._of_models: dict[int, tuple[weakref.ref[Any], dict[tuple[str, int], T]]] = {}

    def get(self, subject: Subject) -> T | None:
        """None where nothing is known."""
        found = self._of_models.get(id(subject.model))
        return None if found is None or found[0]() is not subject.model else found[1].get(_key(subject))

    def put(self, subject: Subject, what: T) -> None:
        """In place of what was known before."""
        key = id(subject.model)
        found = self._of_models.get(key)
        if found is None or found[0]() is not subject.model:
            reference = weakref.ref(subject.model, lambda _: self._of_models.pop(key, None))
            found = self._of_models[key] = reference, {}
        found[1][_key(subject)] = what

    def forget(self, subject: Subject) -> None:
        """Nothing is known from here on."""
        if self.get(subject) is not None:
            del self._of_models[id(subject.model)][1][_key(subject)]

    def forget_all_but(self, there: Iterable[Subject]) -> None:
        """Of the models of these, nothing is known of any other parameter: a program may give a model new ones."""
        keys: dict[int, set[tuple[str, int]]] = defaultdict(set)
        for each in there:
            keys[id(each.model)].add(_key(each))
        for model, of_model in keys.items():
            _, known = self._of_models.get(model, (None, {}))
            for key in known.keys() - of_model:
                del known[key]


def _key(subject: Subject) -> tuple[str, int]:
    return subject.own_name, id(subject.tensor)
