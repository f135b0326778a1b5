"""Telemetry events that trackers wrote into a spool."""

from __future__ import annotations

import os
from collections.abc import Collection

from cirron.spool import Problem, read
from cirron.spool.records import MemoryBatch
from cirron.spool.telemetry_event import TelemetryEvent


def spooled_events(
    directory: str | os.PathLike[str], session: str | Collection[str] | None = None
) -> tuple[list[TelemetryEvent], list[Problem]]:
    """The events in a spool, the oldest first, and what was wrong with the files that gave none.

    Args:
        directory: the spool directory, a `.cirron` directory, or a directory that holds one.
        session: only those of the sessions of `ci.profile()` whose ids begin so, or are in this collection.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: the path is a file.

    Example:
        events, problems = spooled_events("runs/42")
        replay = PhaseReplay(events)
    """
    reader = read(directory, session, sent=True)
    newest_first = [batch.memory for batch, _ in reader.lean_batches(MemoryBatch)]
    events = [event for memory in reversed(newest_first) for event in memory]
    events.sort(
        key=lambda event: event.timestamp_ns
    )  # each thread's own are in order, and threads take turns
    return events, list(reader.problems)
