"""What a telemetry event holds: the one place that owns the names and types of its fields.

A batch holds such events in `memory`, and a file of `stormlog.save_events` one a line. Keys that are not named here are
ignored, so that what a later release writes still reads.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

SCHEMA_VERSION: Literal[1] = 1

SAMPLE = "sample"  # the event type of a reading between boundaries

Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Change = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class TelemetryEvent(Struct, frozen=True, kw_only=True):
    """The memory of one process and its device at an instant; None is what the device cannot tell.

    Args:
        schema_version: 1.
        timestamp_ns: nanoseconds since 1970; within a session they never go back.
        event_type: `sample`, `phase_enter` or `phase_exit`.
        collector: who read the memory: `host`, `cuda`, `rocm` or `mps`.
        sampling_interval_ms: how often the session takes samples.
        pid: the process.
        host: the name of its machine.
        device_id: the number of the device, None for the host.
        allocator_allocated_bytes: held by the program's own objects; on the host the resident size of the process.
        allocator_reserved_bytes: taken from the device for them.
        allocator_active_bytes: in blocks that are in use.
        allocator_inactive_bytes: in blocks that are not, and cannot be given back alone.
        allocator_change_bytes: since the session's event before; None for the first.
        device_used_bytes: by all processes.
        device_free_bytes: for all processes.
        device_total_bytes: used and free; on the host the memory of the machine, or what its container may have.
        context: a line for people.
        metadata: more facts for programs; those of a phase are under `phase_scope` and `phase_memory`.
        job_id: the run, as its launcher calls it.
        rank: of the process in the run.
        local_rank: likewise on its machine.
        world_size: the number of ranks.
        session_id: one stretch of tracking in one process.

    Raises:
        ValueError: the rank is not below the world size.
    """

    schema_version: Literal[1]
    timestamp_ns: Count
    event_type: Text
    collector: Text
    sampling_interval_ms: Count
    pid: Count
    host: str
    device_id: Count | None
    allocator_allocated_bytes: Count | None
    allocator_reserved_bytes: Count | None
    allocator_active_bytes: Count | None
    allocator_inactive_bytes: Count | None
    allocator_change_bytes: Change | None
    device_used_bytes: Count | None
    device_free_bytes: Count | None
    device_total_bytes: Count | None
    context: str | None
    metadata: dict[str, Any]
    job_id: str | None
    rank: Count
    local_rank: Count
    world_size: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    session_id: Text

    def __post_init__(self) -> None:
        if self.rank >= self.world_size:
            raise ValueError(f"rank {self.rank} is not below world_size {self.world_size}")
