"""A loop over batches that a framework runs, and of which it tells where epochs and steps begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cirron.hooks.names import CANONICAL, EPOCH, EVALUATION, NO_STEP_IN, STEP, UNITS

if TYPE_CHECKING:
    from cirron._recorder.idle import AnyScope
    from cirron.hooks.target import Target


class OwnedLoop:
    """The scopes of one way through the data: an epoch, an evaluation or a prediction, and the steps in it.

    Hooks of other frameworks below find these open, and open none of their own. A step begins with the wait for its
    batch, of which frameworks do not tell: so it opens when the one before ends, and what was opened for a batch that
    never came is as if it had never been.

    Example:
        loop = OwnedLoop(target)
        loop.begin_epoch(0)
        loop.next_step(0)
        ...                     # the framework fetches a batch, and works on it
        loop.next_step(1)
        loop.end()              # there was no second batch
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._unit: AnyScope | None = None
        self._is_epoch = False
        self._step: AnyScope | None = None

    def begin_epoch(self, index: int) -> None:
        """Open an epoch, but within a loop that somebody else has opened: then the steps belong to that."""
        self._begin(EPOCH, index)

    def begin_evaluation(self, name: str = EVALUATION) -> None:
        """Open an evaluation, or another unit without gradients, wherever the program is."""
        self._begin(name, None)

    def next_step(self, index: int) -> None:
        """End the step before, and begin the one with this index."""
        self._leave_step(None)
        self._step = self._target.scope_unless(STEP, NO_STEP_IN, CANONICAL, index)
        if self._step is not None:
            self._step.__enter__()

    def end_steps(self) -> None:
        """No batch will come for the step that is open: it is as if it had never been.

        Where something was recorded in it, such as the fetch that found the data at its end, it is called `step.end`.
        """
        if self._step is not None and not self._step._cancel():
            self._step._rename(f"{STEP}.end")
            self._step.__exit__(None, None, None)
        self._step = None

    def end(self) -> None:
        """The unit is over, and has gone well."""
        self.end_steps()
        if self._is_epoch and self._unit is not None:
            self._target.end_epoch(self._unit)
        self._leave_unit(None)

    def fail(self, error: BaseException) -> None:
        """An exception ends all that is open."""
        self._leave_step(error)
        self._leave_unit(error)

    def _begin(self, name: str, index: int | None) -> None:
        self._is_epoch = name == EPOCH
        unless = UNITS if self._is_epoch else ()
        self._unit = self._target.scope_unless(name, unless, CANONICAL, index)
        if self._unit is not None:
            self._unit.__enter__()

    def _leave_step(self, error: BaseException | None) -> None:
        step, self._step = self._step, None
        if step is not None:
            step.__exit__(type(error) if error is not None else None, error, None)

    def _leave_unit(self, error: BaseException | None) -> None:
        unit, self._unit = self._unit, None
        if unit is not None:
            unit.__exit__(type(error) if error is not None else None, error, None)
