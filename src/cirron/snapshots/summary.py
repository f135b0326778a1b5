"""What the looks at one epoch come to: marks on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from cirron.snapshots.looks import ATTR_NONFINITE, Look

GRAD_NORM = "grad_norm"
UPDATE_RATIO = "update_ratio"
NONFINITE = "nonfinite"

Mark = Callable[[str, str], None]


def global_norm(looks: Iterable[Look]) -> float | None:
    """The Euclidean norm of all elements of all tensors; NaN if one of them is not finite, None without any.

    Infinite where it is larger than any float.
    """
    read = [look for look in looks if look.stats is not None]
    if any(ATTR_NONFINITE in look.attrs for look in read):
        return math.nan
    return math.hypot(*map(_norm, read)) if read else None


def _norm(look: Look) -> float:
    """Of finite elements; where there are some, only a norm larger than any float is missing."""
    if look.stats is None or look.stats.max is None:
        return 0.0
    return math.inf if look.stats.norm is None else look.stats.norm


class FirstNonfinite:
    """Marks the name of the first tensor in a session that has elements which are NaN or infinite."""

    def __init__(self) -> None:
        self._is_said = False

    def see(self, looks: Iterable[tuple[str, Look]], mark: Mark) -> None:
        """Mark the first of these, unless that is done."""
        first = (
            None
            if self._is_said
            else next((name for name, look in looks if ATTR_NONFINITE in look.attrs), None)
        )
        if first is not None:
            self._is_said = True
            mark(NONFINITE, first)
