"""What a phase did to the memory, from the readings at its ends and in between."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from cirron.spool.records import MEMORY
from stormlog.collectors import Reading

CANCELLED = "scope_cancelled"  # a key of an exit's metadata: what was taken for a phase is none
PHASE_MEMORY = "phase_memory"  # the key of an exit's metadata
_MARKED = ("growth_bytes", "peak_bytes", "entry_bytes", "exit_bytes")
HIGH_WATER = "high_water"  # the peak is exact: it is the highest that the process ever held
ALLOCATOR = "allocator"  # the peak is exact: the device's allocator was asked for that of this phase
SAMPLED = "sampled"  # the peak is the highest of the readings, and may have been higher between them


class Entry(Struct, frozen=True):
    """The memory when a phase was entered, the position of that reading in the crest, and what watches for its peak."""

    position: int
    allocated_bytes: int | None
    peak_bytes: int | None
    watched: Any = None


def phase_memory(
    entry: Entry, at_exit: Reading, highest_bytes: int | None, told_bytes: int | None = None
) -> dict[str, Any]:
    """What the exit of a phase says: memory at both ends, growth, peak, and where the peak is from.

    Args:
        entry: the memory when the phase was entered.
        at_exit: the memory now.
        highest_bytes: the highest of all readings since then; None where all failed.
        told_bytes: the peak that the device's allocator tells of this phase; None where it tells none.
    """
    peak_bytes, peak_source = _peak(entry, at_exit, highest_bytes, told_bytes)
    return {
        "entry_bytes": entry.allocated_bytes,
        "exit_bytes": at_exit.allocated_bytes,
        "growth_bytes": difference(at_exit.allocated_bytes, entry.allocated_bytes),
        "peak_bytes": peak_bytes,
        "peak_source": peak_source,
    }


def marks(memory: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    """What the scope of a phase is told of it, as names and values of marks; what is not known is left out."""
    return tuple((f"{MEMORY}{key}", memory[key]) for key in _MARKED if memory[key] is not None)


def difference(after_bytes: int | None, before_bytes: int | None) -> int | None:
    """By how much the memory grew; None where one of the two is not known."""
    return None if after_bytes is None or before_bytes is None else after_bytes - before_bytes


def _peak(
    entry: Entry, at_exit: Reading, highest_bytes: int | None, told_bytes: int | None
) -> tuple[int | None, str | None]:
    """The peak of a phase, and where it is from."""
    if told_bytes is not None:
        return max(told_bytes, highest_bytes or 0), ALLOCATOR
    if _is_exact(entry.peak_bytes, at_exit.peak_bytes, highest_bytes):
        return max(at_exit.peak_bytes or 0, highest_bytes or 0), HIGH_WATER
    return highest_bytes, None if highest_bytes is None else SAMPLED


def _is_exact(before_bytes: int | None, after_bytes: int | None, highest_bytes: int | None) -> bool:
    """Whether the highest that the process ever held, known before and after a phase, is the peak of the phase.

    It is where the phase raised it, or where a reading in the phase reached it. If it fell, somebody has reset it. A
    reading may exceed it: the kernel counts on each processor, and adds that up now and then.
    """
    if before_bytes is None or after_bytes is None or highest_bytes is None:
        return False
    return after_bytes > before_bytes or highest_bytes >= after_bytes == before_bytes
