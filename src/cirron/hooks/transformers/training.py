"""The training of one Trainer, as it tells its callbacks of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cirron.hooks.logged import Logged
from cirron.hooks.owned_loop import OwnedLoop
from cirron.hooks.torch.loaders import expect_end, expect_training

if TYPE_CHECKING:
    from cirron.hooks.target import Target

# What a Trainer tells its callbacks, as far as it is heard; others come at each step, and would cost for nothing.
HEARD = ("on_train_begin", "on_epoch_begin", "on_step_begin", "on_epoch_end", "on_log", "on_train_end")

_NO_VALUE = "epoch"  # logged with everything
_OF_THE_WHOLE = "train_runtime"  # logged once, after the last epoch
_OF_EVALUATIONS = ("_runtime", "_per_second")  # which say nothing of the epoch that they are in


class Training:
    """Its epochs, with all that the Trainer does at their end, and a step for each step of the optimizer.

    A step begins with the fetch of its batches and lasts until its values are logged. Where a Trainer does not tell of
    the fetch, for somebody has replaced that, it begins with the work on the first batch.

    The methods with the names of callbacks hear what those hear.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._loop = OwnedLoop(target)
        self._logged = Logged(target)
        self._epoch = -1
        self._is_in_epoch = False
        self._has_batches = False

    def on_train_begin(self, handler: Any, state: Any) -> None:
        """What is open still, the Trainer has given up: it was too large for the memory, and begins anew."""
        self.fail(None)
        self._epoch = -1
        self._target.watch(handler.model)

    def on_epoch_begin(self, handler: Any, state: Any) -> None:
        """The epoch before was open until here."""
        self.end()
        self._begin_epoch(state)

    def on_step_begin(self, handler: Any, state: Any) -> None:
        """The first batch of a step goes to the model; all of them have been fetched."""
        if not self._has_batches:
            self.begin_step(state)
        self._has_batches = False
        if 0 < state.max_steps <= state.global_step + 1:
            expect_end(0)

    def on_epoch_end(self, handler: Any, state: Any) -> None:
        """The epoch has no more steps, but may be evaluated and saved yet."""
        self.end_step()

    def on_log(self, handler: Any, state: Any, logs: Mapping[str, Any]) -> None:
        """Values, of whatever is open."""
        if _OF_THE_WHOLE in logs:
            self.end()
        self._logged.log({name: logs[name] for name in logs if name != _NO_VALUE})

    def on_train_end(self, handler: Any, state: Any) -> None:
        """Nothing is trained any more."""
        self.end()

    def begin_step(self, state: Any) -> None:
        """Batches are fetched for the next step; in the midst of an epoch when the session has begun there."""
        if self._has_batches:
            self.end_step()
        if not self._is_in_epoch:
            self._begin_epoch(state)
        self._loop.next_step(state.global_step)
        self._has_batches = True

    def end_step(self) -> None:
        """The step that is open is over, if any is; it was none if its fetch found no batch."""
        if self._has_batches:
            self._loop.end_steps()
        else:
            self._loop.end_step()
        self._has_batches = False

    def end(self) -> None:
        """The epoch that is open is over, if any is."""
        if self._is_in_epoch:
            self._is_in_epoch = False
            self.end_step()
            self._logged.summarise(without=_OF_EVALUATIONS)
            self._loop.end()

    def fail(self, error: BaseException | None) -> None:
        """Something has ended the training."""
        self._is_in_epoch = False
        self._loop.fail(error)

    def _begin_epoch(self, state: Any) -> None:
        """The Trainer's own number does not grow where it cannot know how long an epoch is."""
        self._epoch = max(int(state.epoch or 0), self._epoch + 1)
        self._is_in_epoch = True
        self._logged.begin_epoch()
        expect_training()
        self._loop.begin_epoch(self._epoch)
