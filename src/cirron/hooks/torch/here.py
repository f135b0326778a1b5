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
        traversals: through which loaders this thread is on its way.
    """

    def __init__(self) -> None:
        self.trained: weakref.ref[Any] | None = None
        self.traversals: list[weakref.ref[Traversal]] = []

    def is_last_step(self) -> bool:
        """Whether the loop at hand is at its last batch, as far as its loader knows how many there are."""
        for reference in reversed(self.traversals):
            traversal = reference()
            if traversal is not None and not traversal.is_over:
                return traversal.is_at_last_step
        return False
