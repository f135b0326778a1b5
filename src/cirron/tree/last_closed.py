"""The few spans of a spool that closed last, without all the others in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import msgspec

from cirron.spool.reader import Reader
from cirron.spool.records import Batch, TimesBatch

CLOCKS_APART_NS = 60 * 10**9  # at most, on the machines whose ranks share a spool


def last_closed(reader: Reader, count: int) -> Iterator[Batch]:
    """The batches of a reader with nothing in them but the `count` spans that closed last, and their marks.

    Args:
        reader: is read twice, from its newest batch back to where these spans can no longer be.
        count: how many spans.
    """
    last = _last(reader, count)
    ids = frozenset(closed.span_id for closed in last)
    begun_ns = min((closed.start_ns for closed in last), default=0)
    for batch in reader.batches(newest_first=True):
        if batch.created_ns + CLOCKS_APART_NS < begun_ns:
            return
        yield msgspec.structs.replace(
            batch,
            spans=[span for span in batch.spans if span.id in ids],
            marks=[mark for mark in batch.marks if mark.span_id in ids],
            snapshots=[],
        )


class _Closed(NamedTuple):
    end_ns: int
    start_ns: int
    span_id: str


def _last(reader: Reader, count: int) -> list[_Closed]:
    found: list[_Closed] = []
    for batch, older_ns in reader.lean_batches(TimesBatch):
        closed = (_Closed(s.end_ns, s.start_ns, s.id) for s in batch.spans if s.end_ns is not None)
        found = heapq.nlargest(count, chain(found, closed))
        if len(found) == count and found[-1].end_ns > older_ns + CLOCKS_APART_NS:
            break  # what is older was sealed before any of these closed
    return found
