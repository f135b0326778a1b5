"""The scopes of an export's sessions, for formats that show times and not each span."""

from __future__ import annotations

from cirron.errors import CirronError
from cirron.export.source import MAY_HAVE_OPEN, Source
from cirron.spool import Span
from cirron.spool.live import open_spans
from cirron.spool.records import AnyBatch
from cirron.tree import Scope
from cirron.tree.run_outline import Shape, read_outlines


def scopes_by_session(source: Source, now_ns: int, *, marks: bool) -> dict[str, Scope]:
    """For each session, by its id, a scope that holds its roots; one batch is in memory at a time.

    Args:
        source: whose spans and marks are counted on the way.
        now_ns: how far the scopes of live sessions that are open have come.
        marks: whether marks are wanted; reading is faster without.

    Example:
        tops = scopes_by_session(source, time.time_ns(), marks=False)
    """
    source.spans = source.marks = source.snapshots = 0
    source.warnings.clear()
    until_ns = {session.id: session.last_ns for session in source.sessions}
    may_have_open = {session.id for session in source.sessions if session.ended in MAY_HAVE_OPEN}

    def open_spans_of(session_id: str) -> list[Span]:
        return _open_in(source, session_id) if session_id in may_have_open else []

    def count(batch: AnyBatch) -> None:
        source.spans += len(batch.spans)
        source.marks += len(batch.marks)
        source.tell(len(batch.spans) + len(batch.marks))

    shape = Shape(marks=marks)
    outlines, _ = read_outlines(source.reader, source.run, shape, open_spans_of, count)
    live = {session.id for session in source.sessions if session.ended == "live"}
    for session_id, outline in outlines.items():
        if session_id in live:
            outline.settle(now_ns)  # what still lacks its parent will have it in a moment
        else:
            outline.finish(until_ns.get(session_id, 0))
    return {session_id: outline.top for session_id, outline in outlines.items()}


def _open_in(source: Source, session_id: str) -> list[Span]:
    try:
        spans = open_spans(source.reader.spool, session_id)
    except CirronError as error:
        source.warnings.append(f"left out what session {session_id[:8]} has open: {error}")
        return []
    source.spans += len(spans)
    return spans
