"""The scopes of a run that is still going: what its sessions seal is added as it comes."""

from __future__ import annotations

from cirron.spool.problem import Problem
from cirron.spool.reader import Reader
from cirron.spool.records import ATTR_INTERRUPTED, LeanBatch
from cirron.spool.runs import Run
from cirron.tree.outline import ANY_TIME_NS, Outline
from cirron.tree.run_outline import OpenSpans, Shape, together
from cirron.tree.scope import Scope


class ReadingAlong:
    """One run, looked at again and again; each batch is read once.

    Args:
        reader: of the spool.
        run: what is read; a process that joins later is not part of it, see `strangers`.
        shape: what is wanted of the spans.
        open_spans: the spans that a session, given by its id, has open now.

    Attributes:
        is_live: whether any of the sessions had something open at the latest look.
        strangers: sessions that were met and are none of these.
    """

    def __init__(self, reader: Reader, run: Run, shape: Shape, open_spans: OpenSpans) -> None:
        self.is_live = True
        self.strangers: set[str] = set()
        self._reader = reader
        self._run = run
        self._open_spans = open_spans
        self._seen: set[str] = set()
        self._outlines = {
            session.id: Outline(session.id, shape.few, shape.min_wall_ns) for session in run.sessions
        }

    def look(self) -> None:
        """Take in what is new."""
        open_ids: list[str] = []
        for session_id, outline in self._outlines.items():
            spans = list(self._open_spans(session_id))
            outline.add_open(spans)
            open_ids.extend(span.id for span in spans if ATTR_INTERRUPTED not in span.attrs)
        self.is_live = bool(open_ids)
        self._read_new()
        for outline in self._outlines.values():
            outline.keep_only(open_ids)

    def picture(self, now_ns: int) -> Scope:
        """What is known by now; spans that are open have been so until `now_ns`."""
        tops: dict[str, Scope] = {}
        for session_id, outline in self._outlines.items():
            outline.settle(now_ns)
            tops[session_id] = outline.top.copy()  # for the ranks of a run become one in the picture
        return together(self._run, tops)

    def _read_new(self) -> None:
        names = {file.name: file for file in self._reader.files()}
        new = sorted(names.keys() - self._seen, reverse=True)
        # Only at the first look is all that is older still to come.
        older = [names[name].created_ns for name in new[1:]] if not self._seen else []
        for name, older_ns in zip(new, [*older, *[ANY_TIME_NS] * len(new)], strict=False):
            batch = self._reader.load(names[name], LeanBatch)
            if batch is not None and not isinstance(batch, Problem):
                self._add(batch, older_ns)
        self._seen = self._seen & names.keys() | set(new)

    def _add(self, batch: LeanBatch, older_ns: int) -> None:
        session_id = self._reader.session_of(batch)
        outline = self._outlines.get(session_id)
        if outline is None:
            self.strangers.add(session_id)
        else:
            outline.add(batch, older_ns)
