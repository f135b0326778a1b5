"""The answer of `health()`: what is at work, and a counter for everything that can be lost or fail."""

from __future__ import annotations

TYPE_CHECKING = False  # as in cirron.instance
if TYPE_CHECKING:
    from typing import Any

    from cirron.faults import Faults
    from cirron.recording import Recording

AT_REST: dict[str, Any] = {
    "enabled": False,
    "frameworks_installed": [],
    "frameworks_failed": {},
    "transport": "file_only",
    "scope_depth": 0,
    "mark_drop_count": 0,
    "span_drop_count": 0,
    "memory_drop_count": 0,
    "scope_drop_count": 0,
    "mark_reject_count": 0,
    "drops_by_thread": [],
    "deferred_count": 0,
    "seal_failure_count": 0,
    "snapshot_drop_count": 0,
    "snapshot_skip_count": 0,
    "snapshot_file_drop_count": 0,
    "request_left_out_count": 0,
    "spool_drop_count": 0,
    "spool_drop_span_count": 0,
    "spool_drop_mark_count": 0,
    "spool_drop_memory_count": 0,
    "spool_bytes": 0,
    "sink_drop_count": 0,
    "flush_latency_ns": 0,
    "internal_errors": {},
    "journal": None,
    "threads": {},
    "degraded": None,
    "delivery": None,
    "recovered_sessions": [],
    "session_id": None,
    "parent_session_id": None,
    "worker": None,
    "spool_dir": None,
}


def vitals(recording: Recording | None, faults: Faults, hooks: dict[str, Any]) -> dict[str, Any]:
    """A snapshot of a session's state, of no session, or of one that is over; never raises.

    Args:
        recording: the session, or None.
        faults: what went wrong in it.
        hooks: the state of its hooks.
    """
    facts = _facts(recording, faults) if recording is not None else {}
    errors = dict(facts.get("internal_errors", {}))
    for place, count in faults.counts().items():
        errors[place] = errors.get(place, 0) + count
    enabled = recording is not None and recording.recorder is not None
    return {**AT_REST, **facts, **hooks, "enabled": enabled, "internal_errors": errors}


def _facts(recording: Recording, faults: Faults) -> dict[str, Any]:
    try:
        return recording.facts()
    except Exception as error:  # noqa: BLE001 - a health check must answer, whatever state things are in
        faults.note("health", error, "health() could not look at the session")
        return {}
