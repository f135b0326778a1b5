"""The snapshots in a spool, each with the scope that it was taken in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from cirron.errors import CirronError
from cirron.snapshots.span_pattern import SpanPattern
from cirron.spool import Reader, Snapshot, Span
from cirron.spool.live import open_spans
from cirron.spool.records import NO_SESSION_ID


@dataclass(frozen=True, slots=True)
class Taken:
    """One snapshot in its place.

    Attributes:
        session_id: the session that took it.
        scope_name: the scope it was taken in; None where its span is nowhere to be found.
        scope_index: the scope's number among its like, or None.
        snapshot: the record.
    """

    session_id: str
    scope_name: str | None
    scope_index: int | None
    snapshot: Snapshot

    @property
    def scope(self) -> str:
        """The scope as `name[index]`; `?` for one that is not known."""
        if self.scope_name is None:
            return NO_SESSION_ID if self.snapshot.span_id == NO_SESSION_ID else "?"
        return self.scope_name if self.scope_index is None else f"{self.scope_name}[{self.scope_index}]"


def list_snapshots(reader: Reader, span: SpanPattern | None = None) -> list[Taken]:
    """The snapshots in the order they were taken.

    A scope is written when it closes, after the snapshots taken in it, so a spool with snapshots is read twice.

    Args:
        reader: of the sessions to look at.
        span: only snapshots taken in spans with such ids.

    Example:
        >>> [(taken.scope, taken.snapshot.tensor_name) for taken in list_snapshots(read("runs/42"))]
        [('epoch[0]', 'layer1.weight'), ('epoch[0]', 'layer1.weight.grad')]
    """
    found = list(_snapshots(reader, span))
    spans = _spans(reader, {snapshot.span_id: session_id for session_id, snapshot in found})
    found.sort(key=lambda each: (each[1].ts_ns, each[1].tensor_name))
    taken = []
    for session_id, snapshot in found:
        name, index = spans.get(snapshot.span_id, (None, None))
        taken.append(Taken(session_id, name, index, snapshot))
    return taken


def _snapshots(reader: Reader, span: SpanPattern | None) -> Iterator[tuple[str, Snapshot]]:
    for batch in reader.batches():
        for snapshot in batch.snapshots:
            if span is None or span.matches(snapshot.span_id):
                yield reader.session_of(batch), snapshot


def _spans(reader: Reader, session_of: dict[str, str]) -> dict[str, tuple[str | None, int | None]]:
    """Name and index of the spans of these ids."""
    if not session_of:
        return {}
    spans = _names((span for batch in reader.batches() for span in batch.spans), session_of)
    for session_id in {session_of[span_id] for span_id in session_of.keys() - spans.keys()}:
        with suppress(CirronError):  # a journal of another release: the name of a scope is no reason to fail
            spans |= _names(open_spans(reader.spool, session_id), session_of)
    return spans


def _names(spans: Iterable[Span], wanted: dict[str, str]) -> dict[str, tuple[str | None, int | None]]:
    return {span.id: (span.name, span.index) for span in spans if span.id in wanted}
