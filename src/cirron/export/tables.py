"""Records as rows of four tables; what the formats that write tables have in common."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import msgspec

from cirron.spool import Mark, Session, Snapshot, Span
from cirron.spool.records import ATTR_INTERRUPTED

Row = tuple[Any, ...]

SESSION_COLUMNS = ("session_id", *(field.name for field in fields(Session) if field.name != "id"))
SPAN_COLUMNS = (
    "session_id", "id", "parent_id", "name", "index", "state", "start_ns", "end_ns", "wall_ns", "cpu_ns", "gpu_ns",
    "memory_peak_bytes", "thread_id", "pid", "rank", "attrs",
)  # fmt: skip
SNAPSHOT_COLUMNS = (
    "session_id", "id", "span_id", "tensor_name", "shape", "dtype", "mode", "mean", "std", "min", "max", "norm",
    "histogram_bins", "histogram_counts", "blob_uri", "ts_ns", "attrs",
)  # fmt: skip

_encode = msgspec.json.Encoder().encode


def session_row(session: Session) -> Row:
    """The values of `SESSION_COLUMNS`."""
    return tuple(asdict(session).values())


def span_row(session_id: str, span: Span) -> Row:
    """The values of `SPAN_COLUMNS`; `wall_ns` is unknown where the end is."""
    end_ns = span.end_ns
    return (
        session_id, span.id, span.parent_id, span.name, span.index, state(span), span.start_ns, end_ns,
        None if end_ns is None else end_ns - span.start_ns, span.cpu_ns, span.gpu_ns, span.memory_peak_bytes,
        span.thread_id, span.pid, span.rank, as_json(span.attrs),
    )  # fmt: skip


def snapshot_row(session_id: str, snapshot: Snapshot) -> Row:
    """The values of `SNAPSHOT_COLUMNS`, with lists as lists."""
    stats = snapshot.stats
    numbers = (stats.mean, stats.std, stats.min, stats.max, stats.norm) if stats else (None,) * 5
    histogram = stats.histogram if stats else None
    return (
        session_id, snapshot.id, snapshot.span_id, snapshot.tensor_name, snapshot.shape, snapshot.dtype,
        snapshot.mode, *numbers, histogram.bins if histogram else None, histogram.counts if histogram else None,
        snapshot.blob_uri, snapshot.ts_ns, as_json(snapshot.attrs),
    )  # fmt: skip


def state(span: Span) -> str:
    """`closed`, `open` (in a session that goes on) or `interrupted` (open when its process died)."""
    if span.end_ns is not None:
        return "closed"
    return "interrupted" if span.attrs.get(ATTR_INTERRUPTED) else "open"


def mark_value(mark: Mark) -> Any:
    """The value, with the numbers that JSON lacks as floats."""
    return mark.value if mark.value_nonfinite is None else float(mark.value_nonfinite)


def as_json(value: Any) -> str:
    """The value as JSON text."""
    return _encode(value).decode()
