"""One way through a loader: the epoch or evaluation that it is, and the step of the batch at hand."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from torch import is_grad_enabled

from cirron._recorder import Steps
from cirron.hooks.leaving import leave_unused
from cirron.hooks.names import (
    CANONICAL,
    DATA_LOAD,
    EPOCH,
    EVALUATION,
    PEEK,
    STEP,
    STEPS,
    UNITS,
    WITHOUT_GRADIENTS,
)
from cirron.hooks.torch.by_hand import for_in, lets_go, who_asks
from cirron.hooks.torch.lengths import batches_in
from cirron.hooks.torch.looks import Looks
from cirron.hooks.torch.witness import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron._recorder.idle import AnyScope
    from cirron.hooks.target import Target
    from cirron.hooks.torch.by_hand import For
    from cirron.hooks.torch.epoch_numbers import EpochNumbers
    from cirron.hooks.torch.here import Here
    from cirron.hooks.torch.witness import Witnesses

LAST = "last"


class Traversal(Steps):
    """Its scopes, which close at the latest when it dies: whoever goes through the loader holds it.

    What a loop is shows in what is done in it. One that began as an epoch was an evaluation if modules were called and
    none of them could learn; one that began as an evaluation, because the model was in that mode, was an epoch if the
    first that was done in it was training; one that fetched a single batch, and did nothing with it, was a peek; and
    one that found none was nothing.

    Args:
        target: where it records.
        here: the traversals of the calling thread, of which this is one more.
        witnesses: asked until it is known what the loop is, and in its last step.
        loader: None where it is not known.
        is_evaluation: whether a loop that begins now is one.
        numbers: of the epochs.
        look: for modules that may be new, while it goes on.

    Attributes:
        target: where it records.
        is_by_hand: whether it is asked by `next`, so that nobody knows when it is over.
        is_open: whether it has scopes that are open.
        is_over: whether it has ended for good.
        last: how many batches there are, 0 where nobody knows.
    """

    __slots__ = (
        "__weakref__",
        "_asks_evaluation",
        "_before",
        "_for",
        "_here",
        "_here_since",
        "_is_counted",
        "_is_evaluation",
        "_loader",
        "_looks",
        "_may_be_epoch",
        "_number",
        "_numbers",
        "_scope",
        "_unit",
        "_witnesses",
        "_work",
        "is_by_hand",
        "is_open",
        "is_over",
        "last",
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
        look: Callable[[], None],
    ) -> None:
        super().__init__(target.find_recorder, *STEPS)
        self.target = target
        self._here = here
        self._witnesses = witnesses
        self._loader = weakref.ref(loader) if loader is not None else None
        self.last = batches_in(loader)
        self._looks = Looks(look)
        self._plan()
        self._asks_evaluation = is_evaluation
        self._is_evaluation = False
        self._may_be_epoch = False  # though it is an evaluation by the model's mode
        self._numbers = numbers
        self._number: int | None = None
        self._is_counted = False  # whether there is an epoch with this number
        self._work: Work | None = None  # the most that is done in it; None as long as that is nothing
        self._unit: str | None = None  # the name of the scope around the steps; None where it is another's
        self._scope: AnyScope | None = None
        self._here_since: str | None = None  # the innermost scope when it was opened
        self._before = 0  # of `count`: steps in an earlier scope, or without a batch
        self._for: For | None = None  # what asks, if it is one
        self.is_ready = self.is_by_hand = self.is_open = self.is_over = False
        self._open()

    @property
    def is_at_last_step(self) -> bool:
        """Whether the batch at hand is the last one, as far as that is known."""
        return 0 < self.last <= self.count

    @property
    def is_epoch(self) -> bool:
        """Whether it has begun as an epoch, or belongs to one of somebody else's."""
        return self._unit in (None, EPOCH)

    def _is_of_loader_of(self, other: Traversal) -> bool:
        loader = self._loader() if self._loader is not None else None
        return loader is not None and other._loader is not None and other._loader() is loader

    def is_left_for(self, other: Traversal) -> bool:
        """Whether nobody goes on with it, since the other one begins.

        That may be an evaluation in its step; and two iterators that are asked by hand may each give half a batch.
        """
        if not self.is_by_hand:
            return self.is_left_by_for()
        if self._is_beside_epoch():
            return True
        if not self.is_epoch:
            return not (other._is_evaluation and other.is_by_hand)
        is_same, is_look = other._is_of_loader_of(self), self.count == 1 and not self._did(Work.BACKWARD)
        if other._is_evaluation:
            return is_same and is_look
        return is_same or (is_look and not other.is_by_hand)

    def is_left_by_for(self) -> bool:
        """Whether a `for` has ended early, though something else has kept its iterator alive."""
        return self._for is not None and self._for.is_left()

    def get_ready(self) -> bool:
        """Open the scope around the steps, also after a pause or an error; False when it is over."""
        if self.is_over:
            return False
        self._here.turns_to(self)
        if self.count == 0:
            self._begin()
        else:
            self._go_on()
        if not self.is_open:
            self._open()
        self.is_ready = not self.is_by_hand
        return True

    def _begin(self) -> None:
        """The first batch is asked for: it is from here on that it belongs to what is open."""
        frame = who_asks()
        self._for = for_in(frame)
        self.is_by_hand = self._for is None and not lets_go(frame)
        self._here.begins(self)
        if self.is_open and self._here_since != self._innermost():
            self.put_off()

    def _go_on(self) -> None:
        """Another batch is asked for after a pause or an error, or by hand; maybe by another `for`."""
        if not self.is_by_hand:
            self._for = for_in(who_asks())
        if self.is_open and self._is_astray():
            self._close(None)

    def _is_astray(self) -> bool:
        """Whether the scope around its steps has ended, with another around that, or it needs one now and has none."""
        if self._scope is not None:
            return self._scope._place() is None
        return unit_for(self.target, self._is_evaluation) is not None

    def _open(self) -> None:
        self.is_open = True
        self._before = self.count
        if self.count == 0:
            self._here.put_off_others(self)
            self._here.leave_those_behind(self)
            self._is_evaluation = self._asks_evaluation()
        self._unit = unit_for(self.target, self._is_evaluation)
        could_be = unit_for(self.target, is_evaluation=False)
        self._may_be_epoch = self._is_evaluation and is_grad_enabled() and could_be == EPOCH
        if self._unit == EPOCH and self._number is None:
            self._number = self._numbers.take()
        if self._unit is not None:
            self._witnesses.wanted_by(id(self))
            number = self._number if self._unit == EPOCH else None
            self._scope = self.target.scope_unless(self._unit, (), (), number)
            if self._scope is not None:
                self._scope.__enter__()
        self._here_since = self._innermost()
        self._here.opens(self)

    def _innermost(self) -> str | None:
        here = self.target.here()
        return here[0] if here is not None else None

    def work(self, work: Work) -> None:
        """Something is done with a batch, if it has one."""
        if self.count == 0:
            self.put_off()
            return
        if self.is_by_hand and self._is_beside_epoch():
            self.leave()
            return
        if self._may_be_epoch and self._is_epoch_by(work):
            self._turn_into_epoch()
        if self.is_by_hand and not self.is_epoch and work == Work.TRAINING_CALL:
            self.pause()  # the program goes on with its training
            return
        self._work = work if self._work is None else max(work, self._work)
        if self._knows_enough():
            self._witnesses.enough_for(id(self))

    def _is_epoch_by(self, work: Work) -> bool:
        """Whether what began as an evaluation, since the model was in that mode, is a training after all."""
        is_sign = work == Work.LEARNING or (work == Work.TRAINING_CALL and self._work is None)
        return is_sign and not self._here.is_within_loops(self)

    def _turn_into_epoch(self) -> None:
        self._is_evaluation, self._may_be_epoch, self._unit = False, False, EPOCH
        self._number = self._numbers.take()
        if self._scope is not None:
            self._scope._rename(EPOCH)
            self._scope._number(self._number)

    def _knows_enough(self) -> bool:
        if self.is_epoch:
            return self._did(Work.BACKWARD if self.is_by_hand else Work.TRAINING_CALL)
        return not self.is_by_hand and not self._may_be_epoch

    def _did(self, least: Work) -> bool:
        return self._work is not None and self._work >= least

    def attend(self) -> None:
        """The step that was planned begins: the last, or one at which to look for modules."""
        if self.count == self.last:
            self._begin_last()
        self._plan()

    def _plan(self) -> None:
        look = self._looks.next_from(self.count)
        self.attend_at = min(look, self.last) if self.count < self.last else look

    def _begin_last(self) -> None:
        """What optimizers do with the last batch, of an epoch as far as that is known, is of interest again."""
        if self.is_epoch:
            self._witnesses.steps.wanted_by((LAST, id(self)))

    def expect_end(self, batches: int) -> None:
        """Whoever goes through the loader will fetch so many more batches, or hardly more, however many there are."""
        self.last = self.count + batches
        if batches == 0:
            self._begin_last()
        else:
            self.attend_at = min(self.attend_at, self.last)

    def has_none(self, error: BaseException) -> None:
        """There was no batch: at the end of the loader no step is left, but for what the user recorded in it.

        After any other error, a program that asks for a batch again finds the same epoch opened once more.
        """
        if not isinstance(error, StopIteration):
            self._fail(type(error))
            return
        self._before += 1
        leave_unused(self.load)
        leave_unused(self.step, f"{STEP}.end")
        self.end(None)

    def _fail(self, error: type[BaseException]) -> None:
        """A batch could not be had. That ends a loop, unless the program asks by hand, and goes on all the same."""
        if not self.is_by_hand:
            self._close(error)
            return
        for each in (self.load, self.step):
            each.__exit__(error, None, None)

    def put_off(self) -> None:
        """Another loop begins before anybody has asked for a batch: it does so as if this one had not begun yet."""
        if self._scope is None or self._scope._cancel():
            self._scope = None
            self._return_number()
            self._close(None)

    def leave(self) -> None:
        """Nobody goes on with it, but for who asks for another batch nevertheless."""
        if self._is_beside_epoch() or self._is_innermost():
            self._close(None)

    def _is_beside_epoch(self) -> bool:
        """Whether one of `ci.epochs` has begun since: that is no part of a step."""
        return self.step._place() is not None and self.target.innermost(UNITS) == EPOCH

    def pause(self) -> None:
        """The program turns to something else. When it asks for another batch, there is another scope for that.

        Not so where it does that in a scope of its own, which lies in the step.
        """
        if self._is_innermost():
            self._close(None)

    def _is_innermost(self) -> bool:
        places = (each._place() for each in (self.load, self.step, self._scope) if each is not None)
        place, here = next(filter(None, places), None), self.target.here()
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
        scope, self._scope = self._scope, None
        for each in (self.load, self.step):
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
            scope._number(None)
            self._return_number()
        elif name == EPOCH:
            self._is_counted = True
            if error in (None, GeneratorExit):
                self.target.end_epoch(scope)

    def _what_it_was(self, name: str) -> str:
        if self.count == 1 > self._before and self._work is None:
            return PEEK
        return EVALUATION if self._work == Work.CALL else name

    def _return_number(self) -> None:
        if self._number is not None and not self._is_counted:
            self._numbers.give_back(self._number)
            self._number = None


def is_in_load(target: Target) -> bool:
    """Whether somebody waits for a batch here, who counts it."""
    return target.innermost(CANONICAL) == DATA_LOAD


def unit_for(target: Target, is_evaluation: bool) -> str | None:
    """What a loop that begins here is: an epoch, an evaluation, or None where it belongs to what is open already.

    So does one that somebody fetches batches from in a `data_load`.
    """
    if is_in_load(target):
        return None
    if is_evaluation:
        return EVALUATION if target.innermost(WITHOUT_GRADIENTS) is None else None
    return EPOCH if target.innermost(UNITS) is None else None
