"""The session that recorded last, found without reading the rest of the spool."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from cirron.errors import CirronError
from cirron.spool.live import open_spans
from cirron.spool.reader import Reader, read
from cirron.spool.records import ATTR_INTERRUPTED, Batch, is_session_span
from cirron.spool.session_list import Session, ended_without_saying, how_it_ended
from cirron.spool.session_names import name_sessions

LOOKED_AT = 32  # batches; a main process among its workers is seldom further away


def newest_session(directory: str | os.PathLike[str]) -> Session | None:
    """The session that recorded last, a main process before its workers; None where there is none.

    It has its id, process, start and end as far as the newest batch or the journal tells; nothing is counted.

    Args:
        directory: the spool directory, a `.cirron` directory, or a directory that holds one.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: the path is a file.

    Example:
        >>> newest_session("runs/42").ended
        'completed'
    """
    reader = read(directory)
    found = _newest_with_a_batch(reader)
    if found is None or found.ended != "live":  # one that has nothing in the spool yet, or no more, may go on
        found = min(_live(reader.spool), key=lambda session: session.started_ns, default=found)
    return found


def _newest_with_a_batch(reader: Reader) -> Session | None:
    workers: list[Session] = []
    for batch in islice(reader.batches(newest_first=True), LOOKED_AT):
        session = _session(reader, batch)
        if session.worker is None:
            return session
        workers.append(session)
    return workers[0] if workers else None


def _live(spool: Path) -> Iterator[Session]:
    """The sessions that have a journal; a main process began before its workers."""
    for journal in (spool.parent / "journal").glob("*.journal"):
        with suppress(CirronError):  # whatever is wrong with one journal, another may be in order
            for span in open_spans(spool, journal.stem):
                if is_session_span(span) and ATTR_INTERRUPTED not in span.attrs:
                    yield Session(journal.stem, pid=span.pid, started_ns=span.start_ns, ended="live")


def _session(reader: Reader, batch: Batch) -> Session:
    session = Session(batch.session_id or name_sessions([batch])[batch.batch_id])
    session.pid, session.worker = batch.pid or 0, batch.worker
    session.started_ns, session.last_ns = _started_ns(batch), batch.created_ns
    session.ended = _ended(reader, session.id, batch)
    return session


def _started_ns(batch: Batch) -> int:
    if batch.clock is not None:
        return batch.clock.wall_ns
    return min((span.start_ns for span in batch.spans), default=batch.created_ns)


def _ended(reader: Reader, session_id: str, batch: Batch) -> str:
    if batch.session_span is not None:
        return how_it_ended(batch.session_span)
    return ended_without_saying(reader, session_id)
