"""Attributes of other people's modules and classes, replaced for a time and then put back as they were."""

from __future__ import annotations

from types import CellType
from typing import Any

_ABSENT = object()


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
        """Replace an attribute that `owner`, a module, a class or a cell, has itself or inherits."""
        before = _own(owner, name)
        setattr(owner, name, ours)
        self._made.append((owner, name, before, ours))

    def undo(self) -> None:
        """Put everything back, the latest first; what somebody else has replaced since stays as it is."""
        while self._made:
            owner, name, before, ours = self._made.pop()
            if _own(owner, name) is not ours:
                continue
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)


def _own(owner: Any, name: str) -> object:
    return getattr(owner, name) if isinstance(owner, CellType) else vars(owner).get(name, _ABSENT)
