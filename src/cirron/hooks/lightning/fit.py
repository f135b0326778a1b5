"""One `Trainer.fit`: its epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cirron.hooks.logged import Logged
from cirron.hooks.owned_loop import OwnedLoop
from cirron.hooks.torch.loaders import expect_end, expect_training

if TYPE_CHECKING:
    from cirron.hooks.target import Target


class Fit:
    """The first epoch begins with the set-up of the loaders, whose workers start then.

    Attributes:
        loop: the scopes.
        logged: the values that the Trainer logs.
    """

    def __init__(self, target: Target) -> None:
        self.loop = OwnedLoop(target)
        self.logged = Logged(target)
        self._target = target
        self._is_in_epoch = False

    def begin(self, loop: Any) -> None:
        """Lightning's loop over epochs begins."""
        self._target.watch(loop.trainer.lightning_module)
        self.begin_epoch(loop)

    def begin_setup(self, loop: Any) -> Fit | None:
        """Loaders are set up before the fit, for somebody asks how many batches there will be; within it, None.

        Their iterators are made then, and would open epochs of their own.
        """
        if self._is_in_epoch:
            return None
        self.begin_epoch(loop)
        return self

    def begin_epoch(self, loop: Any) -> None:
        """An epoch begins, unless it is the first, which has begun."""
        if not self._is_in_epoch:
            self._is_in_epoch = True
            self.logged.begin_epoch()
            expect_training()
            self.loop.begin_epoch(loop.epoch_progress.current.processed)

    def begin_step(self, loop: Any) -> Step:
        """Lightning goes to the next batch."""
        self.begin_epoch(loop)
        index = loop.batch_idx + 1
        if index + 1 >= loop.max_batches or 0 <= loop.max_steps <= loop.trainer.global_step + 1:
            expect_end(max(0, index + 1 - loop._data_fetcher.fetched))
        self.loop.next_step(index)
        return Step(self.loop)

    def end_epoch(self) -> None:
        """All that belongs to an epoch is done."""
        self._is_in_epoch = False
        self.loop.end_step()
        self.logged.summarise()
        self.loop.end()

    def end(self) -> None:
        """The fit is over, or the set-up before it; an epoch that is open is one that there was nothing to do in."""
        self._is_in_epoch = False
        self.loop.forget()

    def leave(self) -> None:
        """Nobody records the fit any more."""
        if self._is_in_epoch:
            self.end_epoch()

    def fail(self, error: BaseException | None) -> None:
        """An exception ends the fit."""
        self._is_in_epoch = False
        self.loop.fail(error)


class Step:
    """One of the steps of a fit."""

    def __init__(self, loop: OwnedLoop) -> None:
        self._loop = loop

    def end(self) -> None:
        """The batch has been worked on, and what came of it has been logged."""
        self._loop.end_step()

    def fail(self, error: BaseException | None) -> None:
        """Either there was no batch, or an exception ends the whole fit, which will end the step as well."""
        if isinstance(error, StopIteration):
            self._loop.end_steps()
