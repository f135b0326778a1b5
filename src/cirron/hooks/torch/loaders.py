"""`epoch`, `evaluation`, `step` and `data_load`: the ways through torch's loaders."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import dataloader

from cirron.hooks.torch.held import HeldIterator
from cirron.hooks.torch.traversal import EpochNumbers, Traversal

if TYPE_CHECKING:
    from cirron.hooks.patches import Patches
    from cirron.hooks.target import Target
    from cirron.hooks.torch.discovery import Discovery
    from cirron.hooks.torch.here import Here
    from cirron.hooks.torch.witness import Witnesses

_at_work: list[LoaderHooks] = []  # at most one

_KEY = "_cirron_traversal"  # on iterators, which nobody can copy or pickle


class LoaderHooks:
    """Opens scopes for every loop over a DataLoader.

    A loop that begins without gradients, or while the module that is being trained is in evaluation mode, is an
    evaluation; any other may still turn out to be one. A loop in a step of another one is a part of that step.
    """

    def __init__(self, target: Target, here: Here, witnesses: Witnesses, discovery: Discovery) -> None:
        self._target = target
        self._here = here
        self._witnesses = witnesses
        self._discovery = discovery
        self._numbers = EpochNumbers()
        self._known: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

    def install(self, patches: Patches) -> None:
        """Begin to record loops."""
        _at_work.append(self)
        iterator = dataloader._BaseDataLoaderIter
        self._next = iterator.__next__
        patches.set(dataloader.DataLoader, "__iter__", self._wrapped_iter(dataloader.DataLoader.__iter__))
        patches.set(iterator, "__next__", self._wrapped_next(iterator.__next__))

    def end(self) -> None:
        """Let loops that go on do so unrecorded."""
        if self in _at_work:
            _at_work.remove(self)
        for each in self._here.under_way():
            each.end(None)

    def expect_training(self) -> None:
        """See the function of this name."""
        self._here.trained = None

    def is_own(self, traversal: Traversal) -> bool:
        """Not so where it was begun in a session that is over."""
        return traversal.target is self._target

    def begin(self, loader: Any) -> Traversal | None:
        """Begin to follow a way through a loader, or through one that is not known any more.

        None if the loader, which may be of any class of the user's, does not let itself be followed.
        """
        try:
            return self._begin_traversal(loader)
        except Exception as error:  # noqa: BLE001 - the user's own loop goes on
            self._target.faults.note("hooks.torch", error, "a loop over a loader is not recorded")
            return None

    def _wrapped_iter(self, original: Any) -> Any:
        @functools.wraps(original)
        def begin_loop(loader: Any) -> Any:
            traversal = self.begin(loader)
            try:
                iterator = original(loader)
            except BaseException as error:
                if traversal is not None:
                    traversal.end(type(error))
                raise
            return iterator if traversal is None else self._attached(traversal, loader, iterator)

        return begin_loop

    def _wrapped_next(self, original: Any) -> Any:
        target = self._target

        @functools.wraps(original)
        def next_batch(iterator: Any) -> Any:
            traversal = iterator.__dict__.get(_KEY)
            if traversal is None or traversal.target is not target:
                traversal = self.begin(None)
                if traversal is None:
                    return original(iterator)
                iterator.__dict__[_KEY] = traversal
            return traversal.fetch(original, iterator)

        return next_batch

    def _begin_traversal(self, loader: Any) -> Traversal:
        self._look_for_modules(loader)
        self._here.begins(loader, self._is_evaluation())
        return Traversal(
            self._target, self._here, self._witnesses, loader, self._is_evaluation, self._numbers
        )

    def _attached(self, traversal: Traversal, loader: Any, iterator: Any) -> Any:
        """The iterator, which holds the traversal from here on."""
        if not isinstance(iterator, dataloader._BaseDataLoaderIter):
            traversal.end(None)  # some other library's, of whose batches we will not hear
            return iterator
        if getattr(loader, "_iterator", None) is iterator:
            return HeldIterator(iterator, traversal, self._next)
        iterator.__dict__[_KEY] = traversal
        return iterator

    def _is_evaluation(self) -> bool:
        trained = self._here.trained() if self._here.trained is not None else None
        return not torch.is_grad_enabled() or (trained is not None and not trained.training)

    def _look_for_modules(self, loader: Any) -> None:
        if loader is None or self._known.get(id(loader)) is loader:
            self._discovery.look_now_and_then()
        else:
            self._known[id(loader)] = loader
            self._discovery.look()


def loaders_at_work() -> LoaderHooks | None:
    """The hooks that follow loops now, for libraries whose loaders go around those of torch."""
    return _at_work[0] if _at_work else None


def expect_training() -> None:
    """A framework is about to train: the mode that it has left its module in does not make that an evaluation."""
    for each in _at_work:
        each.expect_training()
