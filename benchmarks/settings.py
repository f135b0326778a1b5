"""How much is measured: the full table, or a quick try of the machinery."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    operation_rounds: int
    operation_ops: int
    """Ops in one timed burst: few enough that no ring of 64k records overflows before the flush."""
    sustained_rounds: int
    sustained_ops: int
    drain_rounds: int
    drain_records: int
    loop_rounds: int
    loop_window_s: float
    training_rounds: int
    training_epochs: int
    import_rounds: int
    memory_rounds: int


FULL = Settings(
    operation_rounds=31,
    operation_ops=4_000,
    sustained_rounds=5,
    sustained_ops=100_000,
    drain_rounds=21,
    drain_records=10_000,
    loop_rounds=7,
    loop_window_s=1.0,
    training_rounds=21,
    training_epochs=4,
    import_rounds=21,
    memory_rounds=5,
)

QUICK = Settings(
    operation_rounds=2,
    operation_ops=400,
    sustained_rounds=1,
    sustained_ops=2_000,
    drain_rounds=1,
    drain_records=2_000,
    loop_rounds=1,
    loop_window_s=0.05,
    training_rounds=1,
    training_epochs=1,
    import_rounds=1,
    memory_rounds=1,
)

SIZES = {"full": FULL, "quick": QUICK}
