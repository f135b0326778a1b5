"""A loop over batches that a framework runs, and of which it tells where epochs and steps begin and end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from cirron._recorder import Steps
from cirron.hooks.leaving import leave, leave_unused
from cirron.hooks.names import CANONICAL, EPOCH, EVALUATION, STEP, STEPS, UNITS

if TYPE_CHECKING:
    from cirron._recorder.idle import AnyScope
    from cirron.hooks.target import Target


class OwnedLoop:
    """The scopes of one way through the data: an epoch, an evaluation or a prediction, and the steps in it.

    Hooks of other frameworks below find these open, and open none of their own. A step begins with the wait for its
    batch, of which frameworks do not tell: so it opens when the one before ends, and what was opened for a batch that
    never came is as if it had never been.

    Attributes:
        next_step: called with an index, it ends the step before, and begins the one with this index.

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
        self._steps = Steps(target.find_recorder, *STEPS)
        self.next_step = self._steps.next  # the core's own: a method here would be one more call at each step

    def begin_epoch(self, index: int) -> None:
        """Open an epoch, but within a loop that the user has opened: then the steps belong to that.

        Where a framework has opened one, it is a callback of it that trains: this epoch stands beside that.
        """
        self._is_epoch = True
        unless = () if _here.is_in_epoch() else UNITS
        self._unit = self._target.scope_unless(EPOCH, unless, CANONICAL, index)
        if self._unit is not None:
            self._unit.__enter__()
            _here.epochs.append(self._unit)

    def begin_evaluation(self, name: str = EVALUATION, **attrs: Any) -> None:
        """Open an evaluation, or another unit without gradients, wherever the program is."""
        self._is_epoch = False
        self._unit = self._target.scope(name, **attrs)
        self._unit.__enter__()

    def end_step(self) -> None:
        """The step that is open is over; the wait for the next batch does not begin yet."""
        leave(self._steps.step, None)

    def end_steps(self) -> None:
        """No batch will come for the step that is open: it is as if it had never been.

        Where something was recorded in it, such as the fetch that found the data at its end, it is called `step.end`.
        """
        leave_unused(self._steps.step, f"{STEP}.end")

    def end(self) -> None:
        """The unit is over, and has gone well."""
        self.end_steps()
        if self._is_epoch and self._unit is not None:
            self._target.end_epoch(self._unit)
        self._leave_unit(None)

    def forget(self) -> None:
        """There was nothing to do: the epoch is as if it had not begun, or `epoch.end`, as steps are `step.end`."""
        self.end_steps()
        leave_unused(self._unit, f"{EPOCH}.end")
        self._unit = None

    def fail(self, error: BaseException | None) -> None:
        """Something ends all that is open; None where nobody knows what."""
        leave(self._steps.step, error)
        self._leave_unit(error)

    def _leave_unit(self, error: BaseException | None) -> None:
        unit, self._unit = self._unit, None
        leave(unit, error)


class _Here(threading.local):
    """The epochs that frameworks have opened in the calling thread."""

    def __init__(self) -> None:
        self.epochs: list[AnyScope] = []

    def is_in_epoch(self) -> bool:
        """Others may have ended some, when a session was over."""
        self.epochs = [each for each in self.epochs if each._place() is not None]
        return bool(self.epochs)


_here = _Here()
