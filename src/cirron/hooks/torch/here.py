"""What the hooks of a thread tell each other."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cirron.hooks.torch.traversal import Traversal


class Here(threading.local):
    """Where the calling thread is.

    Attributes:
        trained: the module that was seen last in training mode, with gradients.
    """

    def __init__(self) -> None:
        self.trained: weakref.ref[Any] | None = None
        self._traversals: list[weakref.ref[Traversal]] = []

    def under_way(self) -> list[Traversal]:
        """Those that this thread has begun, and that are not over."""
        found = (each() for each in self._traversals)
        return [each for each in found if each is not None and not each.is_over]

    def begins(self, traversal: Traversal) -> None:
        """One more is under way."""
        self._traversals = [weakref.ref(each) for each in (*self.under_way(), traversal)]

    def work(self, is_training: bool) -> None:
        """Something is done with a batch, with gradients to learn from or without."""
        for each in self.under_way():
            each.work(is_training)

    def is_last_step(self) -> bool:
        """Whether the loop at hand is at its last batch, as far as its loader knows how many there are."""
        for each in reversed(self._traversals):
            traversal = each()
            if traversal is not None and not traversal.is_over:
                return traversal.is_at_last_step
        return False
