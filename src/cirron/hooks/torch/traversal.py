"""One way through a loader: the epoch or evaluation that it is, and the step of the batch at hand."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from torch.utils.data.dataloader import _DatasetKind

from cirron.hooks.names import (
    CANONICAL,
    DATA_LOAD,
    EPOCH,
    EVALUATION,
    NO_LOAD_IN,
    NO_STEP_IN,
    STEP,
    UNITS,
    WITHOUT_GRADIENTS,
)

if TYPE_CHECKING:
    from cirron._recorder.idle import AnyScope
    from cirron.hooks.target import Target


class Traversal:
    """Its scopes, which close at the latest when it dies: the loader's iterator holds it.

    Args:
        target: where it records.
        loader: None where it is not known.
        unit: the name and index of the scope around its steps; None where somebody else has opened that.
    """

    __slots__ = (
        "__weakref__",
        "_index",
        "_iterator",
        "_length",
        "_loader",
        "_step",
        "_target",
        "_unit",
        "_unit_is",
        "is_over",
    )

    def __init__(self, target: Target, loader: Any, unit: tuple[str, int | None] | None) -> None:
        self._target = target
        self._loader = weakref.ref(loader) if loader is not None else None
        self._iterator: weakref.ref[Any] | None = None
        self._unit_is = unit
        self._unit: AnyScope | None = None
        self._step: AnyScope | None = (
            None  # when all dies, slots are cleared by name: it closes before the unit
        )
        self._index = 0
        self._length = _length(loader)
        self.is_over = False
        self._open_unit()

    def records_into(self, target: Target) -> bool:
        """Not so one that a session has begun that is over."""
        return self._target is target

    def attach(self, iterator: Any) -> None:
        """The loader's iterator, once it has been made."""
        self._iterator = weakref.ref(iterator)

    def is_of(self, loader: Any) -> bool:
        """Whether it goes through this very loader."""
        return self._loader is not None and self._loader() is loader

    def is_abandoned(self) -> bool:
        """Whether nobody but the loader has its iterator, which is how `break` leaves persistent workers."""
        iterator = self._iterator() if self._iterator is not None else None
        loader = self._loader() if self._loader is not None else None
        if iterator is None or loader is None or getattr(loader, "_iterator", None) is not iterator:
            return False
        return sys.getrefcount(iterator) <= 3  # the loader, `iterator`, and the question itself

    @property
    def is_at_last_step(self) -> bool:
        """Whether the batch at hand is the last one, as far as that is known."""
        return self._index == self._length

    def next_step(self) -> AnyScope | None:
        """End the step before and begin the next; the `data_load` that is open then.

        None once it is over, and within a `data_load`, where one loader feeds another.
        """
        if self.is_over:
            return None
        step, self._step = self._step, None
        if step is not None:
            step.__exit__(None, None, None)
        if self._unit is None:
            self._open_unit()
        index = self._index
        self._index = index + 1
        scope_unless = self._target.scope_unless
        self._step = step = scope_unless(STEP, NO_STEP_IN, CANONICAL, index)
        if step is not None:
            step.__enter__()
        load = scope_unless(DATA_LOAD, NO_LOAD_IN, CANONICAL)
        if load is not None and index == 0:
            load = self._target.scope(DATA_LOAD, first=True)
        if load is not None:
            load.__enter__()
        return load

    def has_none(self, load: AnyScope, error: BaseException) -> None:
        """There was no batch: at the end of the loader no step is left, but for what the user recorded in it.

        After any other error, a program that asks for a batch again finds the same epoch opened once more.
        """
        if not isinstance(error, StopIteration):
            load.__exit__(type(error), error, None)
            self._close(error)
            return
        if not load._cancel():
            load.__exit__(None, None, None)
            if self._step is not None:
                self._step._rename(f"{STEP}.end")
        elif self._step is not None:
            self._step._cancel()
            self._step = None
        self.close()

    def close(self, error: BaseException | None = None) -> None:
        """It is over, with or without an error."""
        self.is_over = True
        if error is None:
            self._leave_step()
            self._end_epoch()
        self._close(error)

    def __del__(self) -> None:
        """The loop was left early; the scopes close by themselves after this, with the exception if there is one."""
        if not self.is_over:
            self._end_epoch()

    def _end_epoch(self) -> None:
        if self._unit is not None and self._unit_is is not None and self._unit_is[0] == EPOCH:
            self._target.end_epoch(self._unit)

    def _leave_step(self) -> None:
        step, self._step = self._step, None
        if step is not None:
            step.__exit__(None, None, None)

    def forget(self) -> None:
        """As if it had not begun."""
        if self._unit is not None and self._unit._cancel():
            self._unit = None
        self.close()

    def _open_unit(self) -> None:
        if self._unit_is is not None:
            name, index = self._unit_is
            self._unit = self._target.scope_unless(name, (), (), index)
            if self._unit is not None:
                self._unit.__enter__()

    def _close(self, error: BaseException | None) -> None:
        kind = type(error) if error is not None else None
        step, self._step = self._step, None
        unit, self._unit = self._unit, None
        for scope in (step, unit):
            if scope is not None:
                scope.__exit__(kind, error, None)


def unit_for(target: Target, is_evaluation: bool) -> str | None:
    """What a loop that begins here is: an epoch, an evaluation, or None where it belongs to what is open already."""
    if is_evaluation:
        return EVALUATION if target.innermost(WITHOUT_GRADIENTS) is None else None
    return EPOCH if target.innermost(UNITS) is None else None


def _length(loader: Any) -> int | None:
    """How many batches there are; None where nobody knows, or where to ask has consequences."""
    if (
        getattr(loader, "_dataset_kind", None) != _DatasetKind.Map
    ):  # others warn later if the answer was wrong
        return None
    try:
        return len(loader)
    except Exception:  # noqa: BLE001 - a sampler of the user's without a length
        return None
