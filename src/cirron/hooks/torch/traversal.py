"""One way through a loader: the epoch or evaluation that it is, and the step of the batch at hand."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from torch.utils.data.dataloader import _DatasetKind

from cirron._recorder import Steps
from cirron.hooks.data_load import first_load
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
    from cirron.hooks.torch.witness import Witnesses

LAST = "last"


class Unit(NamedTuple):
    """What the scope around the steps is called."""

    name: str
    number: int | None


class Traversal(Steps):
    """Its scopes, which close at the latest when it dies: whoever goes through the loader holds it.

    What a loop is shows in what is done in it. One that began as an epoch was an evaluation if modules were called and
    none of them could learn; one that fetched a single batch, and did nothing with it, was a peek; and one that
    fetched none was nothing.

    Args:
        target: where it records.
        witnesses: asked until it is known what the loop is, and in its last step.
        loader: None where it is not known.
        unit: the scope around its steps; None where somebody else has opened that.
        give_back: gets the number of an epoch that was none.

    Attributes:
        target: where it records.
        is_over: whether it has ended for good.
    """

    __slots__ = (
        "__weakref__",
        "_give_back",
        "_is_training",
        "_loader",
        "_scope",
        "_unit",
        "_witnesses",
        "is_over",
        "target",
    )

    def __init__(
        self,
        target: Target,
        witnesses: Witnesses,
        loader: Any,
        unit: Unit | None,
        give_back: Callable[[int], None],
    ) -> None:
        super().__init__(*_makers(target))
        self.target = target
        self._witnesses = witnesses
        self._loader = weakref.ref(loader) if loader is not None else None
        self._unit = unit
        self._give_back = give_back
        self.last = _length(loader)
        self._is_training: bool | None = None  # None as long as nothing is done in it
        self._scope: AnyScope | None = None
        self.is_ready = self.is_over = False
        self.get_ready()

    @property
    def is_at_last_step(self) -> bool:
        """Whether the batch at hand is the last one, as far as that is known."""
        return 0 < self.count == self.last

    @property
    def is_epoch(self) -> bool:
        """Whether it has begun as an epoch, or belongs to one of somebody else's."""
        return self._unit is None or self._unit.name == EPOCH

    def is_of(self, loader: Any) -> bool:
        """Whether it goes through this very loader."""
        return self._loader is not None and loader is not None and self._loader() is loader

    def get_ready(self) -> bool:
        """Open the scope around the steps, also after an error; False when it is over."""
        if self.is_over or self.is_ready:
            return self.is_ready
        self.is_ready = True
        if self._unit is not None:
            self._witnesses.wanted_by(id(self))
            self._scope = self.target.scope_unless(self._unit.name, (), (), self._unit.number)
            if self._scope is not None:
                self._scope.__enter__()
        return True

    def work(self, is_training: bool) -> None:
        """Something is done with a batch."""
        self._is_training = is_training or self._is_training or False
        if is_training or (self._unit is not None and self._unit.name == EVALUATION):
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
        if self.load is not None and not self.load._cancel():
            self.load.__exit__(None, None, None)
            if self.step is not None:
                self.step._rename(f"{STEP}.end")
        elif self.step is not None and self.step._cancel():
            self.step = None
        self.load = None
        self.end(None)

    def end(self, error: type[BaseException] | None) -> None:
        """It is over: the iterator has no more batches, or has died, maybe by an exception."""
        self.is_over = True
        self._close(error)

    def _close(self, error: type[BaseException] | None) -> None:
        self.is_ready = False
        self._witnesses.steps.enough_for((LAST, id(self)))
        self._witnesses.enough_for(id(self))
        load, step, scope = self.load, self.step, self._scope
        self.load = self.step = self._scope = None
        for each in (load, step):
            if each is not None:
                each.__exit__(error, None, None)
        if scope is None:
            return
        if self.count == 0 and error is None and scope._cancel():  # nobody asked for a batch
            self._return_number()
            return
        self._name(scope, error)
        scope.__exit__(error, None, None)

    def _name(self, scope: AnyScope, error: type[BaseException] | None) -> None:
        """Now that it is known what the loop was."""
        was = self._unit
        assert was is not None
        name = self._what_it_was(was.name) if error is None else was.name
        if name != was.name:
            scope._rename(name)
            scope._forget_index()
            self._return_number()
        elif name == EPOCH and error in (None, GeneratorExit):
            self.target.end_epoch(scope)

    def _what_it_was(self, name: str) -> str:
        if self.count == 1 and self._is_training is None:
            return PEEK
        return EVALUATION if self._is_training is False else name

    def _return_number(self) -> None:
        if self._unit is not None and self._unit.number is not None:
            self._give_back(self._unit.number)


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
