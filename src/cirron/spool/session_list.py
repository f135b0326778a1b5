"""One summary for each session in a spool."""

import os
from dataclasses import dataclass

from cirron.spool.files import SpoolFile
from cirron.spool.live import is_held, journal_of
from cirron.spool.reader import Reader, read
from cirron.spool.records import ATTR_ENDED, Batch, Span


@dataclass(slots=True)
class Session:
    """What a spool holds of one session.

    Attributes:
        id: the session's id; `pid-<pid>` where the writer named no session and left no root span.
        run_id, host: as the writer gave them, else None.
        pid, rank: of the process that recorded; 0 where nothing tells.
        world_size: how many processes train together; 1 where nothing tells.
        worker: what a forked or spawned process is called among its siblings; None in a main process.
        parent_session_id: of the process that made it, likewise.
        started_ns: the earliest instant recorded.
        last_ns: the latest instant recorded; the end of the session once it has ended.
        ended: how it ended (`completed`, `killed`, or what the writer says), `live` while a process has its
            journal, `unknown` where neither an end nor a journal is there.
        spans, marks, snapshots: how many of each.
        spans_dropped, marks_dropped: how many were recorded and lost all the same, here or with batches of any session
            that this one removed from the spool for its size limit.
        files, size_bytes: batch files and the room they take.
    """

    id: str
    run_id: str | None = None
    host: str | None = None
    pid: int = 0
    rank: int = 0
    world_size: int = 1
    worker: str | None = None
    parent_session_id: str | None = None
    started_ns: int = 0
    last_ns: int = 0
    ended: str = "unknown"
    spans: int = 0
    marks: int = 0
    snapshots: int = 0
    spans_dropped: int = 0
    marks_dropped: int = 0
    files: int = 0
    size_bytes: int = 0


def sessions(directory: str | os.PathLike[str]) -> list[Session]:
    """The sessions in a spool, the one that started first first.

    Reads every batch, one at a time. Files with problems count for nothing; to hear of them, use
    `summarize` with a reader of your own. Call `seal_dead_journals` before, or a killed session may
    pass for a live one.

    Args:
        directory: the spool directory, a `.cirron` directory, or a directory that holds one.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: the path is a file.

    Example:
        >>> [(session.id[:8], session.ended) for session in sessions("runs/42")]
        [('5b1f0e9c', 'completed'), ('c1d2a3f4', 'killed')]
    """
    return summarize(read(directory))


def summarize(reader: Reader) -> list[Session]:
    """As `sessions`, over a reader whose `problems` and session filter the caller wants to keep."""
    found: dict[str, Session] = {}
    for file, batch in reader.entries():
        session_id = reader.session_of(batch)
        _add(found.setdefault(session_id, Session(session_id)), file, batch)
    for session in found.values():
        if session.ended == "unknown":
            session.ended = ended_without_saying(reader, session.id)
    return sorted(found.values(), key=lambda session: (session.started_ns, session.id))


def _add(session: Session, file: SpoolFile, batch: Batch) -> None:
    session.spans += len(batch.spans)
    session.marks += len(batch.marks)
    session.snapshots += len(batch.snapshots)
    session.files += 1
    session.size_bytes += file.size_bytes
    if batch.counters is not None:
        session.spans_dropped = max(session.spans_dropped, batch.counters.all_spans_dropped)
        session.marks_dropped = max(session.marks_dropped, batch.counters.all_marks_dropped)
    _identify(session, batch)
    _stretch(session, batch)
    if batch.session_span is not None:
        session.ended = how_it_ended(batch.session_span)


def _identify(session: Session, batch: Batch) -> None:
    session.run_id = session.run_id or batch.run_id
    session.host = session.host or batch.host
    session.worker = session.worker or batch.worker
    session.parent_session_id = session.parent_session_id or batch.parent_session_id
    first = batch.spans[0] if batch.spans else None
    session.pid = session.pid or batch.pid or (first.pid if first else 0)
    session.rank = session.rank or batch.rank or (first.rank if first else 0)
    session.world_size = batch.world_size or session.world_size


def _stretch(session: Session, batch: Batch) -> None:
    """Widen the session's time to what the batch holds."""
    instants = [instant for span in batch.spans for instant in (span.start_ns, span.end_ns) if instant]
    instants += [mark.ts_ns for mark in batch.marks]
    instants += [snapshot.ts_ns for snapshot in batch.snapshots]
    if not instants:
        return
    first_ns, last_ns = min(instants), max(instants)
    session.started_ns = min(session.started_ns or first_ns, first_ns)
    session.last_ns = max(session.last_ns, last_ns)


def how_it_ended(span: Span) -> str:
    """What the root span says; a writer that does not say closed it, or was killed before it could."""
    return str(span.attrs.get(ATTR_ENDED) or ("killed" if span.end_ns is None else "completed"))


def ended_without_saying(reader: Reader, session_id: str) -> str:
    """How a session stands whose root span is in no batch: `live`, `killed` or `unknown`."""
    journal = journal_of(reader.spool, session_id)
    if journal is None or not journal.exists():
        return "unknown"
    return "live" if is_held(journal) else "killed"
