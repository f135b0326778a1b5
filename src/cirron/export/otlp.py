"""The format `otel`: OTLP/JSON, one request a line, as a collector's `otlpjsonfile` receiver reads it.

Any line by itself is an `ExportTraceServiceRequest` and can be posted to `/v1/traces`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from cirron._version import __version__
from cirron.export.destination import Sink
from cirron.export.otlp_values import attributes, span_id, trace_id
from cirron.export.source import Part, Source
from cirron.export.tables import mark_value, state
from cirron.spool import Mark, Run, Session, Snapshot, Span
from cirron.spool.records import NO_SESSION_ID, OVERHEAD_MARK

# The receiver reads lines of up to 1 MiB unless it is told otherwise.
LINE_BYTES = 512 * 1024
# A span with more marks hands the rest to children of its own: collectors and what is behind them limit a span.
EVENTS_PER_SPAN = 1000
HELD_MAX = 100_000  # marks in memory that wait for their span to end
MARKS_SPAN = "cirron.marks"

_KIND_INTERNAL = 1
_STATUS_ERROR = 2

_encode = msgspec.json.Encoder().encode


def write_otlp(source: Source, sink: Sink) -> None:
    """Write the spans with their marks and snapshots as events, a run as one trace.

    A mark that comes when its span is written already, or is one of very many, stands in a child of its span called
    `cirron.marks`. A span that is open ends where it was last known to be, and says so in its attributes.

    Args:
        source: the records.
        sink: takes the lines.
    """
    sessions = {session.id: _Session(session, sink) for session in source.sessions}
    _connect(source.run, sessions)
    for part in source.parts():
        sessions[part.session.id].add(part)
    for session in sessions.values():
        session.end()


def _connect(run: Run, sessions: dict[str, _Session]) -> None:
    """Give all sessions of a run one trace, and a worker's the session it belongs to as parent."""
    first = run.ranks[0]
    trace = trace_id(f"run {first.run_id}" if first.run_id else first.id)
    for session in sessions.values():
        session.trace_id = trace
    for worker in run.workers:
        if worker.id in sessions:
            sessions[worker.id].parent_span_id = span_id(worker.parent_session_id or "")


class _Session:
    """One session on its way into lines.

    Attributes:
        facts: what is known of it.
        trace_id: its trace.
        parent_span_id: of its root; empty unless it is a worker's.
    """

    def __init__(self, facts: Session, sink: Sink) -> None:
        self.facts = facts
        self.trace_id = trace_id(facts.id)
        self.parent_span_id = ""
        self._lines = _Lines(sink, facts)
        self._held: dict[str, list[Mark | Snapshot]] = {}  # by the span they belong to
        self._held_count = 0

    def add(self, part: Part) -> None:
        for record in (*part.batch.marks, *part.batch.snapshots):
            self._hold(record)
        for span in part.batch.spans:
            self._lines.add(self._span(span, part.until_ns))
        if self._held_count > HELD_MAX:
            self._release_all()

    def end(self) -> None:
        """Write what still waits."""
        self._release_all()
        self._lines.flush()

    def _hold(self, record: Mark | Snapshot) -> None:
        held = self._held.setdefault(record.span_id, [])
        held.append(record)
        self._held_count += 1
        if len(held) >= EVENTS_PER_SPAN:
            self._release(record.span_id)

    def _taken(self, of_span: str) -> list[Mark | Snapshot]:
        records = self._held.pop(of_span, [])
        self._held_count -= len(records)
        return records

    def _release_all(self) -> None:
        for of_span in list(self._held):
            self._release(of_span)

    def _release(self, of_span: str) -> None:
        """Put records that belong to one span into a child of it."""
        records = [record for record in self._taken(of_span) if not _is_overhead(record)]
        if not records:
            return
        instants = [record.ts_ns for record in records]
        parent_id = self.facts.id if of_span == NO_SESSION_ID else of_span
        self._lines.add(
            {
                "traceId": self.trace_id,
                "spanId": span_id(records[0].id),
                "parentSpanId": span_id(parent_id),
                "name": MARKS_SPAN,
                "kind": _KIND_INTERNAL,
                "startTimeUnixNano": str(min(instants)),
                "endTimeUnixNano": str(max(instants)),
                "attributes": [],
                "events": _events(records),
            }
        )

    def _span(self, span: Span, until_ns: int) -> dict[str, Any]:
        records = self._taken(span.id) if self._held else []
        end_ns = max(span.start_ns, until_ns if span.end_ns is None else span.end_ns)
        converted: dict[str, Any] = {
            "traceId": self.trace_id,
            "spanId": span_id(span.id),
            "parentSpanId": self._parent(span),
            "name": span.name,
            "kind": _KIND_INTERNAL,
            "startTimeUnixNano": str(span.start_ns),
            "endTimeUnixNano": str(end_ns),
            "attributes": attributes(_span_attributes(span, records)),
            "events": _events(record for record in records if not _is_overhead(record)),
        }
        if "error" in span.attrs:
            error = str(span.attrs["error"])
            converted["status"] = {"code": _STATUS_ERROR, "message": error}
            converted["events"].append(_event(end_ns, "exception", {"exception.type": error}))
        return converted

    def _parent(self, span: Span) -> str:
        return self.parent_span_id if span.parent_id is None else span_id(span.parent_id)


class _Lines:
    """Spans of one session, so many to a line that a line stays readable for a collector."""

    def __init__(self, sink: Sink, session: Session) -> None:
        self._sink = sink
        resource = {"attributes": attributes(_resource(session))}
        scope = {"name": "cirron", "version": __version__}
        self._head = (
            b'{"resourceSpans":[{"resource":' + _encode(resource)
            + b',"scopeSpans":[{"scope":' + _encode(scope) + b',"spans":['
        )  # fmt: skip
        self._spans: list[bytes] = []
        self._size_bytes = 0

    def add(self, span: dict[str, Any]) -> None:
        encoded = _encode(span)
        if self._size_bytes + len(encoded) > LINE_BYTES:
            self.flush()
        self._spans.append(encoded)
        self._size_bytes += len(encoded) + 1

    def flush(self) -> None:
        if self._spans:
            self._sink.write(self._head + b",".join(self._spans) + b"]}]}]}\n")
        self._spans, self._size_bytes = [], 0


def _resource(session: Session) -> dict[str, Any]:
    facts = {
        "service.name": "cirron",
        "service.instance.id": session.id,
        "host.name": session.host,
        "process.pid": session.pid or None,
        "telemetry.sdk.name": "cirron",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": __version__,
        "cirron.session_id": session.id,
        "cirron.run_id": session.run_id,
        "cirron.rank": session.rank,
        "cirron.world_size": session.world_size,
        "cirron.worker": session.worker,
        "cirron.parent_session_id": session.parent_session_id,
        "cirron.ended": session.ended,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _span_attributes(span: Span, records: Sequence[Mark | Snapshot]) -> dict[str, Any]:
    facts = {
        "thread.id": span.thread_id,
        "cirron.span_id": span.id,
        "cirron.index": span.index,
        "cirron.cpu_ns": span.cpu_ns,
        "cirron.gpu_ns": span.gpu_ns,
        "cirron.memory_peak_bytes": span.memory_peak_bytes,
        "cirron.open": True if state(span) == "open" else None,
        OVERHEAD_MARK: _overhead_ns(records),
    }
    return span.attrs | {key: value for key, value in facts.items() if value is not None}


def _overhead_ns(records: Sequence[Mark | Snapshot]) -> Any:
    """The value of the mark that the recorder adds to each scope, which is an attribute here."""
    return next(
        (record.value for record in records if isinstance(record, Mark) and _is_overhead(record)), None
    )


def _is_overhead(record: Mark | Snapshot) -> bool:
    return isinstance(record, Mark) and record.name == OVERHEAD_MARK


def _events(records: Iterable[Mark | Snapshot]) -> list[dict[str, Any]]:
    return [
        _mark_event(record) if isinstance(record, Mark) else _snapshot_event(record) for record in records
    ]


def _mark_event(mark: Mark) -> dict[str, Any]:
    value = {"cirron.value": mark_value(mark), "cirron.kind": mark.kind}
    return _event(mark.ts_ns, mark.name, mark.attrs | value)


def _snapshot_event(snapshot: Snapshot) -> dict[str, Any]:
    facts = msgspec.to_builtins(snapshot)
    told = {
        f"cirron.{key}": facts[key] for key in ("tensor_name", "shape", "dtype", "mode", "stats", "blob_uri")
    }
    return _event(snapshot.ts_ns, "cirron.snapshot", snapshot.attrs | told)


def _event(ts_ns: int, name: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"timeUnixNano": str(ts_ns), "name": name, "attributes": attributes(values)}
