"""One way through a loader: the epoch or evaluation that it is, and the step of the batch at hand."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from torch.utils.data.dataloader import _DatasetKind

from cirron._recorder import Steps
from cirron.hooks.data_load import first_load
from cirron.hooks.leaving import leave_unused
from cirron.hooks.names import (
    CANONICAL,
    DATA_LOAD,
    EPOCH,
    EVALUATION,
    NO_LOAD_IN,
    NO_STEP_IN,
    PEEK,
    STEP,
    UNITS,
    WITHOUT_GRADIENTS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron._recorder.idle import AnyScope
    from cirron.hooks.target import Target
    from cirron.hooks.torch.here import Here
    from cirron.hooks.torch.witness import Witnesses

LAST = "last"


class Traversal(Steps):
    """Its scopes, which close at the latest when it dies: whoever goes through the loader holds it.

    What a loop is shows in what is done in it. One that began as an epoch was an evaluation if modules were called and
    none of them could learn; one that fetched a single batch, and did nothing with it, was a peek; and one that
    found none was nothing.

    Args:
        target: where it records.
        here: the traversals of the calling thread, of which this is one more.
        witnesses: asked until it is known what the loop is, and in its last step.
        loader: None where it is not known.
        is_evaluation: whether a loop that begins now is one.
        numbers: of the epochs.

    Attributes:
        target: where it records.
        is_open: whether it has scopes that are open.
        is_over: whether it has ended for good.
    """

    __slots__ = (
        "__weakref__",
        "_asks_evaluation",
        "_before",
        "_here",
        "_is_counted",
        "_is_evaluation",
        "_is_training",
        "_loader",
        "_number",
        "_numbers",
        "_scope",
        "_unit",
        "_witnesses",
        "is_open",
        "is_over",
        "target",
    )

    def __init__(
        self,
        target: Target,
        here: Here,
        witnesses: Witnesses,
        loader: Any,
        is_evaluation: Callable[[], bool],
        numbers: EpochNumbers,
    ) -> None:
        super().__init__(*_makers(target))
        self.target = target
        self._here = here
        self._witnesses = witnesses
        self._loader = weakref.ref(loader) if loader is not None else None
        self.last = _length(loader)
        self._asks_evaluation = is_evaluation
        self._is_evaluation = False
        self._numbers = numbers
        self._number: int | None = None
        self._is_counted = False  # whether there is an epoch with this number
        self._is_training: bool | None = None  # None as long as nothing is done in it
        self._unit: str | None = None  # the name of the scope around the steps; None where it is another's
        self._scope: AnyScope | None = None
        self._before = 0  # of `count`: steps in an earlier scope, or without a batch
        self.is_ready = self.is_open = self.is_over = False
        self.get_ready()

    @property
    def is_at_last_step(self) -> bool:
        """Whether the batch at hand is the last one, as far as that is known."""
        return 0 < self.count == self.last

    @property
    def is_epoch(self) -> bool:
        """Whether it has begun as an epoch, or belongs to one of somebody else's."""
        return self._unit in (None, EPOCH)

    def is_of(self, loader: Any) -> bool:
        """Whether it goes through this very loader."""
        return self._loader is not None and loader is not None and self._loader() is loader

    def get_ready(self) -> bool:
        """Open the scope around the steps, also after a pause or an error; False when it is over."""
        if self.is_over:
            return False
        self._here.turns_to(self)
        if not self.is_open:
            self._open()
        self.is_ready = True
        return True

    def _open(self) -> None:
        self.is_open = True
        self._before = self.count
        if self.count == 0:
            self._is_evaluation = self._asks_evaluation()
        self._unit = unit_for(self.target, self._is_evaluation)
        if self._unit == EPOCH and self._number is None:
            self._number = self._numbers.take()
        if self._unit is not None:
            self._witnesses.wanted_by(id(self))
            number = self._number if self._unit == EPOCH else None
            self._scope = self.target.scope_unless(self._unit, (), (), number)
            if self._scope is not None:
                self._scope.__enter__()
        self._here.opens(self)

    def work(self, is_training: bool) -> None:
        """Something is done with a batch."""
        self._is_training = is_training or self._is_training or False
        if is_training or self._unit == EVALUATION:
            self._witnesses.enough_for(id(self))

    def begin_last(self) -> None:
        """What optimizers do with the last batch, of an epoch as far as that is known, is of interest again."""
        if self.is_epoch:
            self._witnesses.steps.wanted_by((LAST, id(self)))

    def has_none(self, error: BaseException) -> None:
        """There was no batch: at the end of the loader no step is left, but for what the user recorded in it.

        After any other error, a program that asks for a batch again finds the same epoch opened once more.
        """
        if not isinstance(error, StopIteration):
            self._close(type(error))
            return
        self._before += 1
        leave_unused(self.load)
        leave_unused(self.step, f"{STEP}.end")
        self.load = self.step = None
        self.end(None)

    def put_off(self) -> None:
        """Another loop begins before anybody has asked for a batch: it does so as if this one had not begun yet."""
        if self._scope is None or self._scope._cancel():
            self._scope = None
            self._return_number()
            self._close(None)

    def pause(self) -> None:
        """The program turns to something else. When it asks for another batch, there is another scope for that.

        Not so where it does that in a scope of its own, which lies in the step.
        """
        if self._is_innermost():
            self._close(None)

    def _is_innermost(self) -> bool:
        scope = self.load or self.step or self._scope
        place, here = scope._place() if scope is not None else None, self.target.here()
        return place is None or here is None or place[0] == here[0]

    def end(self, error: type[BaseException] | None) -> None:
        """It is over: the iterator has no more batches, or has died, maybe by an exception."""
        self._close(error)
        self.is_over = True

    def _close(self, error: type[BaseException] | None) -> None:
        if self._scope is not None:
            self._here.closes(self)
        self.is_ready = self.is_open = False
        self._witnesses.steps.enough_for((LAST, id(self)))
        self._witnesses.enough_for(id(self))
        load, step, scope = self.load, self.step, self._scope
        self.load = self.step = self._scope = None
        for each in (load, step):
            if each is not None:
                each.__exit__(error, None, None)
        if scope is None:
            return
        if self.count == self._before and error is None and scope._cancel():  # there was no batch in it
            self._return_number()
            return
        self._name(scope, error)
        scope.__exit__(error, None, None)

    def _name(self, scope: AnyScope, error: type[BaseException] | None) -> None:
        """Now that it is known what the loop was."""
        assert self._unit is not None
        name = self._what_it_was(self._unit) if error is None else self._unit
        if name != self._unit:
            scope._rename(name)
            scope._forget_index()
            self._return_number()
        elif name == EPOCH:
            self._is_counted = True
            if error in (None, GeneratorExit):
                self.target.end_epoch(scope)

    def _what_it_was(self, name: str) -> str:
        if self.count == 1 > self._before and self._is_training is None:
            return PEEK
        return EVALUATION if self._is_training is False else name

    def _return_number(self) -> None:
        if self._number is not None and not self._is_counted:
            self._numbers.give_back(self._number)
            self._number = None


class EpochNumbers:
    """The numbers of the epochs of a session."""

    def __init__(self) -> None:
        self._next = 0

    def take(self) -> int:
        """That of an epoch that begins."""
        self._next += 1
        return self._next - 1

    def give_back(self, number: int) -> None:
        """That of an epoch that was none; where another thread has begun one since, it stays unused."""
        if number == self._next - 1:
            self._next = number


def _makers(target: Target) -> tuple[Callable[..., Any], ...]:
    """What opens a step, the wait for the first batch, and that for another; None of these holds a traversal."""
    return (
        partial(target.scope_unless, STEP, NO_STEP_IN, CANONICAL),
        partial(first_load, target),
        partial(target.scope_unless, DATA_LOAD, NO_LOAD_IN, CANONICAL),
    )


def unit_for(target: Target, is_evaluation: bool) -> str | None:
    """What a loop that begins here is: an epoch, an evaluation, or None where it belongs to what is open already.

    So does one that somebody fetches batches from in a `data_load`.
    """
    if target.innermost(CANONICAL) == DATA_LOAD:
        return None
    if is_evaluation:
        return EVALUATION if target.innermost(WITHOUT_GRADIENTS) is None else None
    return EPOCH if target.innermost(UNITS) is None else None


def _length(loader: Any) -> int:
    """How many batches there are; 0 where nobody knows, or where to ask has consequences."""
    if (
        getattr(loader, "_dataset_kind", None) != _DatasetKind.Map
    ):  # others warn later if the answer was wrong
        return 0
    try:
        return len(loader)
    except Exception:  # noqa: BLE001 - a sampler of the user's without a length
        return 0
