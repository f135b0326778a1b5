"""Student's t distribution, as far as an interval needs it."""

from __future__ import annotations

import math

_STEPS = 64  # of Simpson's rule; five digits for any freedom up to 100
_HALVINGS = 50


def t_beyond(outside: float, freedom: float) -> float:
    """The t that is exceeded, in either direction, with the probability `outside`.

    With t = sqrt(freedom) / tan(a), that probability is the integral of sin(x) ** (freedom - 1) from 0 to a, scaled
    to be 1 at a right angle; the angle is found by halving.

    Example:
        >>> round(t_beyond(0.05, 10), 3)
        2.228
    """
    scale = 2 * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if scale * _integral(middle, freedom - 1) < outside:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) / math.tan(high)


def _integral(angle: float, power: float) -> float:
    """Of sin(x) ** power from 0 to the angle."""
    step = angle / _STEPS
    heights: list[float] = [math.sin(position * step) ** power for position in range(_STEPS + 1)]
    total: float = heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2])
    return step / 3 * total
