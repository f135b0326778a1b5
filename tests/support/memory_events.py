"""Telemetry events for tests."""

import msgspec

from stormlog.telemetry import TelemetryEvent

FIELDS = {
    "schema_version": 1,
    "timestamp_ns": 1_000,
    "event_type": "sample",
    "collector": "host",
    "sampling_interval_ms": 100,
    "pid": 7,
    "host": "machine",
    "device_id": None,
    "allocator_allocated_bytes": 4096,
    "allocator_reserved_bytes": None,
    "allocator_active_bytes": None,
    "allocator_inactive_bytes": None,
    "allocator_change_bytes": None,
    "device_used_bytes": 10,
    "device_free_bytes": 20,
    "device_total_bytes": 30,
    "context": None,
    "metadata": {},
    "job_id": None,
    "rank": 0,
    "local_rank": 0,
    "world_size": 1,
    "session_id": "s",
}


def event(**fields):
    """An event with these fields, and ordinary ones besides."""
    return TelemetryEvent(**{**FIELDS, **fields})


def line(**fields):
    """The same as a line of a file, whether it makes sense or not; a field that is `...` is left out."""
    given = {name: value for name, value in {**FIELDS, **fields}.items() if value is not ...}
    return msgspec.json.encode(given) + b"\n"
