"""What the hooks of a thread tell each other."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cirron.hooks.torch.traversal import Traversal
    from cirron.hooks.torch.witness import Work


class Here(threading.local):
    """Where the calling thread is.

    Attributes:
        trained: the module that was seen last in training mode, with gradients.
    """

    def __init__(self) -> None:
        self.trained: weakref.ref[Any] | None = None
        self._traversals: list[weakref.ref[Traversal]] = []

    def under_way(self) -> list[Traversal]:
        """Those that this thread has begun, and that are not over, in the order in which their scopes were opened."""
        found = (each() for each in self._traversals)
        return [each for each in found if each is not None and not each.is_over]

    def opens(self, traversal: Traversal) -> None:
        """The scopes of one are open now; those of an evaluation within others end when these go on."""
        others = [each for each in self.under_way() if each is not traversal]
        if not traversal.is_epoch:
            for each in others:
                each.is_ready = False
        self._traversals = [weakref.ref(each) for each in (*others, traversal)]

    def turns_to(self, traversal: Traversal) -> None:
        """Another batch is asked for there: evaluations in its last step are over, or wait for a `next` by hand."""
        for each in self._later_than(traversal):
            if not each.is_epoch:
                each.pause()

    def closes(self, traversal: Traversal) -> None:
        """The scope around its steps ends, and maybe those of others in it, which go on outside of it."""
        for each in self._later_than(traversal):
            each.pause()

    def _later_than(self, traversal: Traversal) -> list[Traversal]:
        """The latest first; none where this thread has not opened it."""
        if self._traversals and self._traversals[-1]() is traversal:
            return []
        under_way = self.under_way()
        there = under_way.index(traversal) + 1 if traversal in under_way else len(under_way)
        return under_way[: there - 1 : -1]

    def put_off_others(self, traversal: Traversal) -> None:
        """It begins, and of another that nobody has asked for a batch yet nobody knows what it is for."""
        for each in reversed(self.under_way()):
            if each is not traversal and each.count == 0:
                each.put_off()

    def leave_those_behind(self, traversal: Traversal) -> None:
        """It begins, maybe after a `for` whose iterator something holds."""
        for each in reversed(self.under_way()):
            if each is not traversal and each.is_left_by_for():
                each.leave()

    def begins(self, traversal: Traversal) -> None:
        """Its first batch is asked for, by which others may turn out to have been left."""
        others = (each for each in reversed(self.under_way()) if each is not traversal and each.count > 0)
        left = [each for each in others if each.is_left_for(traversal)]
        if left:
            traversal.put_off()  # for it would lie in them
        for each in left:
            each.leave()

    def is_within_loops(self, traversal: Traversal) -> bool:
        """Whether a `for` over another loader is under way in its last step."""
        return any(each.is_open and not each.is_by_hand for each in self._later_than(traversal))

    def work(self, work: Work) -> None:
        """Something is done with a batch."""
        for each in self.under_way():
            if each.is_open:
                each.work(work)

    def is_last_step(self) -> bool:
        """Whether the loop at hand is at its last batch, as far as its loader knows how many there are."""
        for each in reversed(self._traversals):
            traversal = each()
            if traversal is not None and traversal.is_open:
                return traversal.is_at_last_step
        return False
