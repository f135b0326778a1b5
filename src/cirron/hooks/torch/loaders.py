"""`epoch`, `evaluation`, `step` and `data_load`: the ways through torch's loaders."""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.utils.data import dataloader

from cirron import signals
from cirron.hooks.patches import WeakPatches
from cirron.hooks.torch.epoch_numbers import EpochNumbers
from cirron.hooks.torch.held import HeldIterator
from cirron.hooks.torch.traversal import Traversal, is_in_load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

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
        self._of_users = WeakPatches("__iter__")
        self._known: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

    def install(self, patches: Patches) -> None:
        """Begin to record loops."""
        _at_work.append(self)
        iterator = dataloader._BaseDataLoaderIter
        self._next = iterator.__next__
        patches.set(dataloader.DataLoader, "__iter__", self._wrapped_iter(dataloader.DataLoader.__iter__))
        patches.set(iterator, "__next__", self._wrapped_next(iterator.__next__))
        patches.set(iterator, _KEY, None)  # so that no `__getattr__` of a subclass is asked

    def end(self) -> None:
        """Let loops that go on do so unrecorded."""
        if self in _at_work:
            _at_work.remove(self)
        self._of_users.undo()
        for each in self._here.under_way():
            each.end(None)

    def expect_training(self) -> None:
        """See the function of this name."""
        self._here.trained = None

    def expect_end(self, batches: int) -> None:
        """See the function of this name."""
        for each in reversed(self._here.under_way()):
            if each.is_epoch:
                each.expect_end(batches)
                return

    def begin(self, loader: Any) -> Traversal | None:
        """Begin to follow a way through a loader, or through one that is not known any more.

        None if the loader, which may be of any class of the user's, does not let itself be followed.
        """
        try:
            return self._begin_traversal(loader)
        except Exception as error:  # the user's own loop goes on
            if signals.has_raised(error):
                raise
            self._target.faults.note("hooks.torch", error, "a loop over a loader is not recorded")
            return None

    def _wrapped_iter(self, original: Any) -> Any:
        @functools.wraps(original)
        def begin_loop(loader: Any) -> Any:
            kind = type(loader)
            is_own = kind.__iter__ is not begin_loop
            if is_in_load(self._target) or (is_own and self._is_to_be_kept(kind, sys._getframe(1).f_code)):
                return self._uncounted(original(loader))
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
            try:
                traversal = iterator._cirron_traversal  # a constant name, which the interpreter specialises
            except AttributeError:  # the hooks have gone this moment
                return original(iterator)
            if traversal is None or traversal.target is not target:
                traversal = self.begin(None)
                if traversal is None:
                    return original(iterator)
                _attach(iterator, traversal)
            return traversal.fetch(original, iterator)

        return next_batch

    def _is_to_be_kept(self, kind: type[Any], asker: CodeType) -> bool:
        """Whether an iterator is for a loader to keep, whose own generators give the batches, as in YOLO.

        Then each of these generators is a loop.
        """
        owner = next((each for each in kind.__mro__ if "__iter__" in vars(each)), kind)
        own: Any = vars(owner).get("__iter__")
        given = inspect.unwrap(own)
        if not inspect.isgeneratorfunction(given) or getattr(given, "__code__", asker) is asker:
            return False
        if owner not in self._of_users:
            self._of_users.set(owner, with_steps(own))
        return True

    def _uncounted(self, iterator: Any) -> Any:
        if isinstance(iterator, dataloader._BaseDataLoaderIter):
            _attach(iterator, _Uncounted(self, self._target))
        return iterator

    def _begin_traversal(self, loader: Any) -> Traversal:
        self._look_for_modules(loader)
        return Traversal(
            self._target,
            self._here,
            self._witnesses,
            loader,
            self._is_evaluation,
            self._numbers,
            self._discovery.look_now_and_then,
        )

    def _attached(self, traversal: Traversal, loader: Any, iterator: Any) -> Any:
        """The iterator, which holds the traversal from here on."""
        if not isinstance(iterator, dataloader._BaseDataLoaderIter):
            traversal.end(None)  # some other library's, of whose batches we will not hear
            return iterator
        if getattr(loader, "_iterator", None) is iterator:
            return HeldIterator(iterator, traversal, self._next)
        _attach(iterator, traversal)
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


def _attach(iterator: Any, traversal: Traversal | _Uncounted | None) -> None:
    """Not through the iterator's `__dict__`: once that was asked for, each attribute takes the interpreter longer."""
    object.__setattr__(iterator, _KEY, traversal)


class _Uncounted(NamedTuple):
    """In place of a traversal where an iterator is to be kept, or made in a `data_load`, as by loaders around another.

    Whoever has opened that counts the batches, unless the iterator is asked for one elsewhere.
    """

    loaders: LoaderHooks
    target: Target

    def fetch(self, function: Callable[[Any], Any], iterator: Any) -> Any:
        if is_in_load(self.target):
            return function(iterator)
        traversal = self.loaders.begin(None)
        _attach(iterator, traversal)
        return function(iterator) if traversal is None else traversal.fetch(function, iterator)


def with_steps(original: Callable[..., Any]) -> Callable[..., Any]:
    """The `__iter__` of a loader that goes around one of torch, each of whose batches gets a step."""

    @functools.wraps(original)
    def begin_loop(loader: Any) -> Any:
        return _Batches(loader, original(loader))

    return begin_loop


class _Batches:
    """The batches of such a loader, each with its step; in all else the generator that gives them."""

    def __init__(self, loader: Any, batches: Iterator[Any]) -> None:
        self._loader = loader
        self._batches = batches
        self._traversal: Traversal | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        traversal = self._traversal = _followed(self._traversal, self._loader)
        return next(self._batches) if traversal is None else traversal.fetch(next, self._batches)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    @property  # type: ignore[misc]  # so that isinstance() says what it says without us
    def __class__(self) -> type[Any]:
        return type(self._batches)


def _followed(traversal: Traversal | None, loader: Any) -> Traversal | None:
    """The way through a loader that goes around one of torch; None where nobody records.

    It is another one where that was begun in a session that is over.
    """
    if not _at_work:
        return None
    loaders = _at_work[0]
    is_own = traversal is not None and traversal.target is loaders._target
    return traversal if is_own else loaders.begin(loader)


def expect_training() -> None:
    """A framework is about to train: the mode that it has left its module in does not make that an evaluation."""
    for each in _at_work:
        each.expect_training()


def expect_end(batches: int) -> None:
    """A framework will leave the loop that it is in after so many more batches: the last step is known before."""
    for each in _at_work:
        each.expect_end(batches)
