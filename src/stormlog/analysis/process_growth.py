"""Whether a program as a whole takes more and more memory, told from samples alone."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from stormlog.analysis.trend import LEAST, trend
from stormlog.watching import TreeSample

WARM_UP = 0.3  # of the time; imports and first steps take memory that stays
LEAST_RISE_BYTES = 16 << 20


class ProcessGrowth(Struct, frozen=True):
    """A steady rise.

    Args:
        bytes_per_s: how fast.
        rise_bytes: in all, since the warm-up.
        samples: from how many this is told.
    """

    bytes_per_s: int
    rise_bytes: int
    samples: int


def process_growth(samples: Sequence[TreeSample]) -> ProcessGrowth | None:
    """The steady rise of a program's memory; None where there is none, or where samples are too few to tell."""
    settled = samples[round(WARM_UP * len(samples)) :]
    if len(settled) < LEAST:
        return None
    found = trend([sample.anonymous_bytes for sample in settled])
    if not found.is_rise or found.rise < LEAST_RISE_BYTES:
        return None
    spacing_s = (settled[-1].at_s - settled[0].at_s) / (len(settled) - 1)
    return ProcessGrowth(round(found.slope / spacing_s), round(found.rise), len(settled))
