"""Small batches as plain JSON values, and the files that hold them."""

import json
from pathlib import Path
from typing import Any

SESSION_ID = "5e" * 16


def span(number: int, name: str, **changes: Any) -> dict[str, Any]:
    """A span with the id `number`, under the session, one microsecond long."""
    return {
        "id": f"{number:032x}",
        "name": name,
        "parent_id": SESSION_ID,
        "index": None,
        "start_ns": 1_000_000 + number * 1_000,
        "end_ns": 1_001_000 + number * 1_000,
        "cpu_ns": None,
        "gpu_ns": None,
        "memory_peak_bytes": None,
        "thread_id": 7,
        "pid": 4242,
        "rank": 0,
        "attrs": {},
        "mark_ids": [],
    } | changes


def mark(number: int, name: str, value: Any, value_type: str = "float", **changes: Any) -> dict[str, Any]:
    """A mark with the id `number`, on the session."""
    return {
        "id": f"{number:032x}",
        "span_id": SESSION_ID,
        "name": name,
        "value_type": value_type,
        "value": value,
        "attrs": {},
        "ts_ns": 1_000_500 + number * 1_000,
        "kind": "point",
    } | changes


def snapshot(number: int, tensor_name: str, **changes: Any) -> dict[str, Any]:
    """A snapshot with the id `number`, on the session."""
    histogram = {"bins": [edge / 8 - 1 for edge in range(17)], "counts": [1] * 16}
    return {
        "id": f"{number:032x}",
        "span_id": SESSION_ID,
        "tensor_name": tensor_name,
        "shape": [4, 4],
        "dtype": "float32",
        "mode": "stats",
        "stats": {"mean": 0.0, "std": 0.5, "min": -1.0, "max": 1.0, "norm": 2.5, "histogram": histogram},
        "blob_uri": None,
        "ts_ns": 1_000_600,
        "attrs": {},
    } | changes


def session_span(**changes: Any) -> dict[str, Any]:
    """The root span of the session, 1 ms long."""
    times = {"id": SESSION_ID, "parent_id": None, "start_ns": 1_000_000, "end_ns": 2_000_000}
    return span(0, "cirron.session", **times, attrs={"cirron.ended": "completed"}) | changes


def bare_batch(number: int, **changes: Any) -> dict[str, Any]:
    """A batch with the keys of the contract and no others, as cirron-sdk 0.3.0 writes it."""
    return {
        "schema_version": 1,
        "sdk_version": "0.3.0",
        "batch_id": f"{number:032x}",
        "created_ns": number,
        "spans": [],
        "marks": [],
        "snapshots": [],
    } | changes


def batch(number: int, **changes: Any) -> dict[str, Any]:
    """A batch of the session, number `number` in age."""
    clock = {"wall_ns": 1_000_000, "monotonic_ns": 500}
    whose = {"session_id": SESSION_ID, "run_id": None, "host": "n1", "pid": 4242, "rank": 0, "local_rank": 0}
    return bare_batch(number, sdk_version="1.0.0", **whose, world_size=1, worker=None, clock=clock) | changes


def put(spool: Path, content: dict[str, Any] | bytes, name: str | None = None) -> Path:
    """Write a batch, or any bytes, under the name that a batch number 1 has unless told otherwise."""
    number = content if isinstance(content, dict) else {"created_ns": 1, "batch_id": f"{1:032x}"}
    path = spool / (name or f"{number['created_ns']:020d}-{number['batch_id']}.json")
    path.write_bytes(json.dumps(content).encode() if isinstance(content, dict) else content)
    return path
