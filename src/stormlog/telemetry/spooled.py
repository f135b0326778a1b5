"""Telemetry events that trackers wrote into a spool."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

from cirron.spool import Problem, Reader, read
from cirron.spool.records import MemoryBatch
from cirron.spool.telemetry_event import TelemetryEvent


class Spooled(NamedTuple):
    """What `spooled_events` gives.

    Attributes:
        events: the oldest first.
        problems: what was wrong with files that gave none.
        lost_count: how many events the sessions counted as lost: in full rings, or with batches that the cap removed.
    """

    events: list[TelemetryEvent]
    problems: list[Problem]
    lost_count: int


def spooled_events(
    directory: str | os.PathLike[str], session: str | Collection[str] | None = None
) -> Spooled:
    """The events in a spool, and what is missing of them.

    Args:
        directory: the spool directory, a `.cirron` directory, or a directory that holds one.
        session: only those of the sessions of `ci.profile()` whose ids begin so, or are in this collection.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: the path is a file.

    Example:
        replay = PhaseReplay(spooled_events("runs/42").events)
    """
    return events_of(read(directory, session, sent=True))


def events_of(reader: Reader) -> Spooled:
    """The same of the sessions that a reader gives."""
    newest_first: list[list[TelemetryEvent]] = []
    lost: dict[str, int] = {}
    for batch, _ in reader.lean_batches(MemoryBatch):
        newest_first.append(batch.memory)
        if batch.counters is not None:
            session_id = reader.session_of(batch)
            lost[session_id] = max(lost.get(session_id, 0), batch.counters.all_memory_dropped)
    events = [event for memory in reversed(newest_first) for event in memory]
    events.sort(
        key=lambda event: event.timestamp_ns
    )  # each thread's own are in order, and threads take turns
    return Spooled(events, list(reader.problems), sum(lost.values()))
