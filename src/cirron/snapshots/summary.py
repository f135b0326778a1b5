"""What the looks at one epoch come to: marks on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from cirron.snapshots.looks import ATTR_NONFINITE, ATTR_SHARD, ATTR_UNSCALED, Look

GRAD_NORM = "grad_norm"
UPDATE_RATIO = "update_ratio"
NONFINITE = "nonfinite"
ATTR_ELEMENTS = "elements"

Mark = Callable[..., None]


def global_norm(looks: Iterable[Look]) -> float | None:
    """The Euclidean norm of all elements of all tensors; NaN if one of them is not finite, None without any."""
    squares, count = 0.0, 0
    for look in looks:
        if look.stats is None:
            continue
        count += 1
        squares += math.nan if ATTR_NONFINITE in look.attrs else (look.stats.norm or 0.0) ** 2
    return math.sqrt(squares) if count > 0 else None


def are_sharded(looks: Iterable[Look]) -> bool:
    """Whether other processes have parts of them."""
    return any(ATTR_SHARD in look.attrs for look in looks)


class FirstNonfinite:
    """Marks the first tensor of each kind in a session that has elements which are NaN or infinite."""

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._is_said = False

    def see(self, looks: Iterable[tuple[str, Look]]) -> None:
        """Mark the first of these, unless that is done."""
        if self._is_said:
            return
        for name, look in looks:
            if ATTR_NONFINITE in look.attrs:
                self._is_said = True
                unscaled = {key: look.attrs[key] for key in (ATTR_UNSCALED,) if key in look.attrs}
                self._mark(NONFINITE, name, **{ATTR_ELEMENTS: look.attrs[ATTR_NONFINITE]}, **unscaled)
                return
