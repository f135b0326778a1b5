"""What an export reads: the records of some sessions, and the scopes that are still open in those that live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cirron._version import __version__
from cirron.errors import CirronError
from cirron.spool import Batch, Reader, Run, Session, Span
from cirron.spool.live import open_spans

MAY_HAVE_OPEN = ("live", "killed")  # one that was killed, where its journal cannot be sealed


class Part(NamedTuple):
    """Some records of one session.

    Attributes:
        session: whose they are.
        batch: the records.
        until_ns: how far a span without an end is known to have been open.
    """

    session: Session
    batch: Batch
    until_ns: int


class Source:
    """The records to export, part by part.

    Attributes:
        run: says which sessions are ranks and which are workers; it knows each at a glance only.
        sessions: all that can be said of the sessions, the one that started first first.
        reader: gives the batches of just these sessions.
        spans, marks, snapshots: how many of each the latest pass has given.
        warnings: what the latest pass could not find out, in the order it was met.

    Args:
        run, sessions, reader: as above.
        progress: is told of records that are done, by their number.

    Example:
        source = Source(chosen.run, chosen.sessions, chosen.reader)
        names = {span.name for part in source.parts() for span in part.batch.spans}
    """

    def __init__(
        self,
        run: Run,
        sessions: Sequence[Session],
        reader: Reader,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self.run = run
        self.sessions = sessions
        self.reader = reader
        self.spans = self.marks = self.snapshots = 0
        self.warnings: list[str] = []
        self._progress = progress

    def parts(self) -> Iterator[Part]:
        """Every record, the oldest batch first; one batch is in memory at a time. Each call is a new pass."""
        self.spans = self.marks = self.snapshots = 0
        known = {session.id: session for session in self.sessions}
        live = self._live()
        for batch in self.reader.batches():
            session_id = self.reader.session_of(batch)
            if session_id in live:
                live[session_id].met(batch)
            session = known.get(session_id)
            if session is not None:  # else it wrote its first batch after the sessions were listed
                yield self._counted(Part(session, batch, session.last_ns))
        for each in live.values():
            yield self._counted(each.rest())

    def _live(self) -> dict[str, _Live]:
        """What is open now, to be read before the batches: a scope that closes meanwhile is met twice, not missed."""
        self.warnings.clear()
        live = {}
        for session in self.sessions:
            if session.ended in MAY_HAVE_OPEN:
                try:
                    live[session.id] = _Live(session, open_spans(self.reader.spool, session.id))
                except CirronError as error:
                    self.warnings.append(f"left out what session {session.id[:8]} has open: {error}")
        return live

    def _counted(self, part: Part) -> Part:
        batch = part.batch
        self.spans += len(batch.spans)
        self.marks += len(batch.marks)
        self.snapshots += len(batch.snapshots)
        self.tell(len(batch.spans) + len(batch.marks) + len(batch.snapshots))
        return part

    def tell(self, records: int) -> None:
        """Say that so many more records are done, to whoever watches; `parts` does so itself."""
        if self._progress is not None:
            self._progress(records)


class _Live:
    """A session with a journal: what is open in it, less what has turned up closed."""

    def __init__(self, session: Session, spans: Sequence[Span]) -> None:
        self.session = session
        self._open = {span.id: span for span in spans}
        self._until_ns = session.last_ns

    def met(self, batch: Batch) -> None:
        self._until_ns = max(self._until_ns, batch.created_ns)
        if self._open:
            for span in batch.spans:
                self._open.pop(span.id, None)

    def rest(self) -> Part:
        """What is open, as if a batch had brought it."""
        spans = list(self._open.values())
        batch = Batch(
            schema_version=1,
            sdk_version=__version__,
            batch_id=self.session.id,  # the part that no file holds has no id of its own
            created_ns=self._until_ns,
            spans=spans,
            marks=[],
            snapshots=[],
            session_id=self.session.id,
        )
        return Part(self.session, batch, max([self._until_ns, *(span.start_ns for span in spans)]))
