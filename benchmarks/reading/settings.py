"""How much is read: the full table, or a quick try of the machinery."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    large_spans: int
    """Of the spool that shows how a command copes."""
    small_spans: int
    """Of the one that shows what starting it takes."""
    files: int
    """Batches in the spool that is only listed."""
    rounds: int


FULL = Settings(large_spans=5_000_000, small_spans=500, files=100_000, rounds=3)
QUICK = Settings(large_spans=2_000, small_spans=500, files=50, rounds=1)

SIZES = {"full": FULL, "quick": QUICK}
