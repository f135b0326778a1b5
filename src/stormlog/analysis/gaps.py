"""Memory between the layers: what the allocator holds and nobody can use, and what is outside of the allocator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from cirron.spool.telemetry_event import TelemetryEvent
from cirron.tree import units
from stormlog.analysis.findings import Abstention, Finding, Kind

FRAGMENTED_SHARE = 0.2  # of what the allocator has reserved
FRAGMENTED_BYTES = 64 << 20
OUTSIDE_BYTES = 128 << 20
LEAST = 4  # readings
_SETTLED = 0.25  # of the readings: before, libraries still load their kernels


def gaps(events: Sequence[TelemetryEvent]) -> Iterator[Finding | Abstention]:
    """What the readings of one session say; on the host, whose allocator keeps no counters, nothing."""
    readings = [event for event in events if event.allocator_reserved_bytes]
    if not readings:
        return
    settled = readings[round(_SETTLED * len(readings)) :]
    if len(settled) < LEAST:
        yield _abstain(readings[0], "fragmentation", f"{len(readings)} readings of the allocator are too few")
        return
    yield from _fragmentation(settled)
    yield from _outside(settled)


def _fragmentation(readings: Sequence[TelemetryEvent]) -> Iterator[Finding | Abstention]:
    """Blocks that are not in use and cannot be given back alone; cached whole blocks are no loss."""
    known = [
        (
            event.allocator_inactive_bytes,
            event.allocator_reserved_bytes or 1,
            event.allocator_allocated_bytes or 0,
        )
        for event in readings
        if event.allocator_inactive_bytes is not None
    ]
    if not known:
        yield _abstain(
            readings[0], "fragmentation", "the allocator does not tell which of its blocks are split"
        )
        return
    inactive_bytes = round(median(inactive or 0 for inactive, _, _ in known))
    share = median((inactive or 0) / reserved for inactive, reserved, _ in known)
    if share >= FRAGMENTED_SHARE and inactive_bytes >= FRAGMENTED_BYTES:
        says = (
            f"{units.size(inactive_bytes)} of what the allocator has reserved, {units.percent(share)}, lie in gaps "
            "between blocks in use; with torch, PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True may close them"
        )
        evidence = {
            "readings": len(known),
            "inactive_share": round(share, 3),
            "reserved_bytes": round(median(reserved for _, reserved, _ in known)),
            "allocated_bytes": round(median(allocated for _, _, allocated in known)),
        }
        yield _finding(readings[0], "fragmentation", inactive_bytes, says, evidence)


def _outside(readings: Sequence[TelemetryEvent]) -> Iterator[Finding | Abstention]:
    """What else grew on the device since the start; who has it cannot be told."""
    gaps_bytes = [
        event.device_used_bytes - (event.allocator_reserved_bytes or 0)
        for event in readings
        if event.device_used_bytes is not None
    ]
    if len(gaps_bytes) < LEAST:
        yield _abstain(readings[0], "outside_allocator", "the device does not tell how much of it is in use")
        return
    quarter = len(gaps_bytes) // 4
    first_bytes, last_bytes = median(gaps_bytes[:quarter]), median(gaps_bytes[-quarter:])
    grown_bytes = round(last_bytes - first_bytes)
    if grown_bytes >= OUTSIDE_BYTES:
        says = (
            f"{units.size(grown_bytes)} have come into use on the device that the allocator does not know of: "
            "by a library with memory of its own, such as NCCL or cuDNN, or by another process"
        )
        evidence = {
            "readings": len(gaps_bytes),
            "first_bytes": round(first_bytes),
            "last_bytes": round(last_bytes),
        }
        yield _finding(readings[0], "outside_allocator", grown_bytes, says, evidence)


def _finding(
    event: TelemetryEvent, kind: Kind, value_bytes: int, says: str, evidence: Mapping[str, float]
) -> Finding:
    return Finding(
        kind=kind,
        session_id=event.session_id,
        rank=event.rank,
        path=(),
        value_bytes=value_bytes,
        says=says,
        evidence={"collector": event.collector, "device_id": event.device_id, **evidence},
    )


def _abstain(event: TelemetryEvent, kind: Kind, reason: str) -> Abstention:
    return Abstention(kind=kind, session_id=event.session_id, rank=event.rank, path=(), reason=reason)
