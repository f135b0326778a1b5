"""Which values of a tensor are kept beside its statistics."""

from __future__ import annotations

import math
from typing import NamedTuple

STATS = "stats"
SAMPLED = "sampled"
LEAST_SAMPLE = 1024  # elements: a hundredth of a small tensor would say nothing


class Keep(NamedTuple):
    """What a session keeps of each tensor.

    Attributes:
        mode: `stats` for no values, `sampled` for some, `full` for all of them.
        sample_rate: the share of the elements that `sampled` keeps.

    Example:
        >>> Keep("sampled", 0.01).sample_elements(1_000_000)
        10000
    """

    mode: str = STATS
    sample_rate: float = 1.0

    def sample_elements(self, size: int) -> int:
        """How many elements of a tensor of this size are a sample of it."""
        return min(size, max(LEAST_SAMPLE, math.ceil(size * self.sample_rate)))


ONLY_STATS = Keep()
