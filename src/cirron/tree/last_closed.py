"""The few spans of a spool that closed last, without all the others in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import msgspec

from cirron.spool.reader import Reader
from cirron.spool.records import Batch, TimesBatch


def last_closed(reader: Reader, count: int) -> Iterator[Batch]:
    """The batches of a reader with nothing in them but the `count` spans that closed last, and their marks.

    Args:
        reader: is read twice.
        count: how many spans.
    """
    ids = _ids(reader, count)
    for batch in reader.batches():
        yield msgspec.structs.replace(
            batch,
            spans=[span for span in batch.spans if span.id in ids],
            marks=[mark for mark in batch.marks if mark.span_id in ids],
            snapshots=[],
        )


def _ids(reader: Reader, count: int) -> frozenset[str]:
    closed = (
        (span.end_ns, -span.start_ns, span.id)
        for batch, _ in reader.lean_batches(TimesBatch)
        for span in batch.spans
        if span.end_ns is not None
    )
    return frozenset(span_id for _, _, span_id in heapq.nlargest(count, closed))
