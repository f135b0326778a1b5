"""When a loop that goes on for long looks for new modules: about once a second, and at no cost to the steps between."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_EVERY_NS = 1_000_000_000  # for each costs a millisecond or two: the interpreter learns types anew
FIRST_STEP = 4  # asked about, so that short loops are not


class Looks:
    """The looks of one loop, planned by how long its steps have taken so far.

    Args:
        look: does it.
    """

    __slots__ = ("_from_step", "_look", "_since_ns")

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._from_step = 0  # where it looked last, or began
        self._since_ns = time.monotonic_ns()

    def next_from(self, step: int) -> int:
        """The step at which to ask again; looks if it is time for that.

        That is after as many steps again at most, so that a loop is asked often only as long as it is new, or slow.
        """
        if step == 0:
            return FIRST_STEP
        now_ns = time.monotonic_ns()
        steps, passed_ns = step - self._from_step, now_ns - self._since_ns
        is_due = passed_ns >= LOOK_EVERY_NS
        if is_due:
            self._look()
            self._from_step, self._since_ns = step, now_ns
        left_ns = LOOK_EVERY_NS if is_due else LOOK_EVERY_NS - passed_ns
        return step + max(1, min(steps, steps * left_ns // max(passed_ns, 1)))
