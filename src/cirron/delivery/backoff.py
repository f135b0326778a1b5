"""When to try again after a failure."""

from __future__ import annotations

from collections.abc import Callable

FIRST_S = 0.5
LONGEST_S = 60.0


class Backoff:
    """Pauses that double with each failure in a row, at random lengths so that many processes spread out.

    Args:
        clock: seconds on a clock that is never set.
        random: a number from 0 to 1.
    """

    def __init__(self, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._failures = 0
        self._until_s = clock()

    @property
    def remaining_s(self) -> float:
        """How long the pause still lasts."""
        return max(0.0, self._until_s - self._clock())

    def failed(self, at_least_s: float | None = None) -> None:
        """Begin a pause, of `at_least_s` if the other side asks for that."""
        longest_s = min(LONGEST_S, FIRST_S * 2 ** min(self._failures, 30))
        self._failures += 1
        self._until_s = self._clock() + max(longest_s * self._random(), at_least_s or 0.0)

    def succeeded(self) -> None:
        """End the pause; the next one will be a first one."""
        self._failures = 0
        self._until_s = self._clock()
