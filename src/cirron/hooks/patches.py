"""Attributes of other people's modules and classes, replaced for a time and then put back as they were."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import CellType
from typing import Any

_ABSENT = object()

_Reference = Callable[[], object]  # gives what it refers to, or None once that is gone
_NOTHING = (lambda: None,) * 3


class Patches:
    """Replaced attributes, and what stood in their place.

    Example:
        patches = Patches()
        patches.set(torch.autograd, "backward", ours)
        patches.undo()
    """

    def __init__(self) -> None:
        self._made: list[tuple[Any, str, object, object]] = []

    def __contains__(self, owner: object) -> bool:
        """Whether something of `owner` is replaced."""
        return any(each[0] is owner for each in self._made)

    def set(self, owner: Any, name: str, ours: object) -> None:
        """Replace an attribute that `owner`, a module or a class, has itself or inherits."""
        before = _own(owner, name)
        setattr(owner, name, ours)
        self._made.append((owner, name, before, ours))

    def undo(self) -> None:
        """Put everything back, the latest first; what somebody else has replaced since stays as it is."""
        while self._made:
            owner, name, before, ours = self._made.pop()
            _put_back(owner, name, ours, before)


class WeakPatches:
    """One function of each of many classes or functions, as `Patches` has them, that keeps none of those alive.

    A program may make a class for each of its trials, and a class may hold all the data of a trial.

    Args:
        name: of the attribute.
        find_owner: gives what has it: the class or function itself, or a cell of the function.
    """

    def __init__(self, name: str, find_owner: Callable[[Any], object] = lambda holder: holder) -> None:
        self._name = name
        self._find_owner = find_owner
        self._made: dict[int, tuple[_Reference, _Reference, _Reference]] = {}

    def __contains__(self, holder: object) -> bool:
        """Whether the function is replaced there."""
        there, ours, _ = self._made.get(id(holder), _NOTHING)
        return there() is holder and _own(self._find_owner(holder), self._name) is ours()

    def set(self, holder: Any, ours: Callable[..., Any]) -> None:
        """Replace the function by another, which holds the one that it replaces."""
        owner = self._find_owner(holder)
        before = _own(owner, self._name)
        setattr(owner, self._name, ours)
        made, key = self._made, id(holder)
        there = weakref.ref(holder, lambda _: made.pop(key, None))
        made[key] = (there, weakref.ref(ours), _held_weakly(before))

    def undo(self) -> None:
        """Put everything back; what somebody else has replaced since stays as it is."""
        while self._made:
            there, ours, before = self._made.popitem()[1]
            holder = there()
            if holder is not None:
                _put_back(self._find_owner(holder), self._name, ours(), before())


def _held_weakly(function: object) -> _Reference:
    try:
        return weakref.ref(function)
    except TypeError:  # of a kind that nobody can hold so, such as _ABSENT
        return lambda: function


def _own(owner: Any, name: str) -> object:
    return getattr(owner, name) if isinstance(owner, CellType) else vars(owner).get(name, _ABSENT)


def _put_back(owner: Any, name: str, ours: object, before: object) -> None:
    if _own(owner, name) is not ours:
        return
    if before is _ABSENT:
        delattr(owner, name)
    else:
        setattr(owner, name, before)
