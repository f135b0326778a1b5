"""Which models a thread may look at while others train theirs."""

from __future__ import annotations

from collections.abc import Container
from threading import Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from cirron.snapshots.parameters import parameters

if TYPE_CHECKING:
    from cirron.snapshots.watched import Watched


class _Model(NamedTuple):
    model: Any
    thread: Thread | None
    is_found: bool


class Sharing:
    """Shares out models among the threads that train: whoever looks at a gradient while it is made reads freed memory.

    A model is of the thread in which hooks have found it last, or else of the one that has named it; of all once that
    thread is over. A thread with models of its own looks at these, and at what the main thread has named and does not
    train; one without at all but those of threads in which epochs end.

    Args:
        named: the models that the user has named.
        found: those that hooks have come by.
    """

    def __init__(self, named: Watched, found: Watched) -> None:
        self._named = named
        self._found = found
        self._with_epochs: WeakSet[Thread] = WeakSet()

    def end_epoch(self) -> None:
        """An epoch ends in the calling thread."""
        self._with_epochs.add(current_thread())

    def claim(self, trained: Container[int]) -> None:
        """The calling thread trains the parameters with these ids: it may have taken over from another one."""
        for model, thread in self._found.with_threads():
            if thread is not current_thread() and any(
                id(each.tensor) in trained for each in parameters(model)
            ):
                self._found.add(model)

    def models(self) -> list[Any]:
        """Those that the calling thread may look at, named ones first."""
        there, here = self._all(), current_thread()
        is_here = [each.is_found or here is not main_thread() for each in there if each.thread is here]
        return [each.model for each in there if self._is_open(each, has_own=any(is_here))]

    def _is_open(self, each: _Model, *, has_own: bool) -> bool:
        if each.thread is None or each.thread is current_thread():
            return True
        if has_own and (each.is_found or each.thread is not main_thread()):
            return False
        return each.thread not in self._with_epochs

    def _all(self) -> list[_Model]:
        found = {
            id(model): _Model(model, thread, is_found=True) for model, thread in self._found.with_threads()
        }
        named = [
            found.pop(id(model), _Model(model, thread, is_found=False))
            for model, thread in self._named.with_threads()
        ]
        return [*named, *found.values()]
