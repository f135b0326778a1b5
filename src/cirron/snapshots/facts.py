"""What is known of a snapshot, in words and as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from cirron.snapshots.listing import Taken
from cirron.spool import Snapshot
from cirron.tree import units

STATISTICS = ("mean", "std", "min", "max", "norm")


def shape_text(shape: list[int]) -> str:
    """The sizes of all dimensions, and `scalar` for a tensor without any."""
    return units.TIMES.join(map(str, shape)) or "scalar"


def statistic(snapshot: Snapshot, name: str) -> str:
    """One of `STATISTICS`; `-` where none was taken."""
    if snapshot.stats is None:
        return "-"
    value = getattr(snapshot.stats, name)
    return "not finite" if value is None else f"{value:.4g}"


def to_dict(taken: Taken) -> dict[str, Any]:
    """The record with all its fields, and where it was taken."""
    place = {
        "session_id": taken.session_id,
        "scope_name": taken.scope_name,
        "scope_index": taken.scope_index,
    }
    return place | dict(msgspec.to_builtins(taken.snapshot))
