"""Batches to scopes: one session's spans, each counted in its scope and then let go of.

Read newest first, a spool gives parents before their children, because a scope is written down when it closes. So
where a span belongs is known when it comes, and nothing but the scopes has to be kept. What comes the other way round
(a task that outlives the scope it was started in, another thread's child in the same batch) waits in a scope that is
filled when its span arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

from cirron.spool.records import ATTR_INTERRUPTED, SESSION_NAME, AnyBatch, AnyMark, AnySpan, Span
from cirron.tree.scope import FEW, Scope

SLACK_NS = 10_000_000  # by which a batch's name may be older than what it holds, as the wall clock may be set
FORGET_FROM = 10_000  # spans; looking through fewer costs more than keeping them
ANY_TIME_NS = 2**63


class Outline:
    """The scopes of one session.

    Args:
        session_id: also the id of its root span; None where the writer named no session.
        few: how many spans of one name may stand one by one; 1 for a table by path.
        min_wall_ns: leave out spans that took less, and all below them.

    Attributes:
        top: holds the roots; no span is counted in it.
        last_ns: the latest instant of which there is a record.
        left_out_count: spans that took less than `min_wall_ns`, and those below them.

    Example:
        outline = Outline(session_id)
        for batch, older_ns in reader.lean_batches(LeanBatch):
            outline.add(batch, older_ns)
        outline.finish()
        print([scope.name for scope in outline.top.in_order()])
    """

    def __init__(self, session_id: str | None, few: int = FEW, min_wall_ns: int = 0) -> None:
        self.top = Scope("")
        self.last_ns = 0
        self.left_out_count = 0
        self._session_id = session_id
        self._few = few
        self._min_wall_ns = min_wall_ns
        self._left_out = Scope("")
        self._home: Scope | None = None
        self._brief: dict[str, Scope] = {}  # by the id of a span that lies within the batch at hand
        self._long: dict[str, tuple[Scope, int]] = {}  # of other spans, with the time they began
        self._long_until_ns = ANY_TIME_NS
        self._forget_from = FORGET_FROM
        self._awaited: dict[str, Scope] = {}  # of spans that others refer to, and that did not come yet
        self._recovered = False
        self._names_tell = True  # of batches, when what they hold was recorded

    # ---- taking in ----

    def add(self, batch: AnyBatch, older_ns: int = ANY_TIME_NS) -> None:
        """Count the spans and marks of one batch.

        Args:
            batch: in any order, though newest first needs the least memory.
            older_ns: when the next batch was sealed, if that is an older one: nothing in it lies in a span that
                began later.
        """
        spans: Sequence[AnySpan] = batch.spans
        last_ns = max((span.end_ns or span.start_ns for span in spans), default=0)
        self._seen(last_ns)
        # Where the clock was set back, a batch is older by its name than what it holds, and so may the next one be.
        self._names_tell = self._names_tell and last_ns <= batch.created_ns + SLACK_NS
        self._brief = {}
        self._long_until_ns = older_ns + SLACK_NS if self._names_tell else ANY_TIME_NS
        for span in reversed(spans):  # within a thread a parent closes after its children
            self._add(span)
        for mark in batch.marks:
            self._mark(mark)
        self._forget()
        self._recovered = self._recovered or batch.recovered

    def add_open(self, spans: Iterable[AnySpan]) -> None:
        """Count spans that are in no batch yet; one that is known already, or comes again closed, counts once."""
        self._long_until_ns = ANY_TIME_NS
        for span in sorted(spans, key=attrgetter("start_ns")):
            self._seen(span.start_ns)
            self._add(span)

    def keep_only(self, span_ids: Iterable[str]) -> None:
        """Let go of all spans but these and those whose end is still to come; for reading along with a live session."""
        self._brief = {}
        open_ids = set(span_ids)
        self._long = {
            span_id: entry
            for span_id, entry in self._long.items()
            if span_id in open_ids or span_id in entry[0].standing().unfinished
        }

    def settle(self, now_ns: int = 0) -> None:
        """Say that spans without an end were open until now, or until the last record."""
        self.top.settle(max(now_ns, self.last_ns))

    def finish(self, now_ns: int = 0) -> None:
        """Give what is still without a parent to the session, and settle; no batch may follow."""
        if self._awaited:
            home = self._home_now()
            for scope in self._awaited.values():
                home.take_over(scope, self._few)
            self._awaited.clear()
        self.settle(now_ns)

    # ---- one record ----

    def _add(self, span: AnySpan) -> None:
        parent_id = span.parent_id
        parent = self._brief.get(parent_id) if parent_id is not None else None
        if parent is None:
            parent = self._parent(span)
        elif parent.into is not None:
            parent = parent.standing()
        span_id = span.id
        if span_id in self._awaited or self._min_wall_ns or parent is self.top or span_id in self._long:
            self._add_with_care(span, parent)
        elif span_id not in self._brief:
            self._remember(span, parent.child(span, self._few))

    def _add_with_care(self, span: AnySpan, parent: Scope) -> None:
        """As the rare ones need it: spans that come twice, that were awaited, that are too short, and roots."""
        if (known := self._known(span.id)) is not None:
            known.close(span)
            return
        awaited = self._awaited.pop(span.id, None)
        if parent is self._left_out or self._is_short(span):
            self._leave_out(span, awaited)
            return
        scope = parent.child(span, self._few) if awaited is None else self._filled(awaited, span, parent)
        self._remember(span, scope)
        if parent is self.top and self._is_session(span):
            self._home = scope

    def _remember(self, span: AnySpan, scope: Scope) -> None:
        if span.start_ns <= self._long_until_ns:
            self._long[span.id] = (scope, span.start_ns)
        else:
            self._brief[span.id] = scope

    def _forget(self) -> None:
        """Let go of spans in which nothing that was recorded earlier can lie."""
        if len(self._long) > self._forget_from:
            limit_ns = self._long_until_ns
            self._long = {span_id: entry for span_id, entry in self._long.items() if entry[1] <= limit_ns}
            self._forget_from = max(FORGET_FROM, 2 * len(self._long))

    def _mark(self, mark: AnyMark) -> None:
        self._seen(mark.ts_ns)
        scope = self._brief.get(mark.span_id)
        if scope is None:
            scope = self._known(mark.span_id) or self._await(mark.span_id)
        elif scope.into is not None:
            scope = scope.standing()
        scope.mark(mark)

    def _seen(self, instant_ns: int) -> None:
        if instant_ns > self.last_ns:
            self.last_ns = instant_ns

    def _known(self, span_id: str) -> Scope | None:
        scope = self._brief.get(span_id)
        if scope is None:
            if (entry := self._long.get(span_id)) is None:
                return None
            scope = entry[0]
        return scope.standing()

    def _parent(self, span: AnySpan) -> Scope:
        if span.parent_id is None or span.id == self._session_id:
            return self.top
        return self._known(span.parent_id) or self._await(span.parent_id)

    def _await(self, span_id: str) -> Scope:
        scope = self._awaited.get(span_id)
        if scope is None:
            scope = self._awaited[span_id] = Scope("")
        return scope

    def _filled(self, awaited: Scope, span: AnySpan, parent: Scope) -> Scope:
        if parent.lies_within(awaited):  # a ring of parents, which only a damaged file has
            parent = self._await("")
        awaited.fill(span)
        return parent.adopt(awaited, self._few)

    def _is_short(self, span: AnySpan) -> bool:
        return span.end_ns is not None and span.end_ns - span.start_ns < self._min_wall_ns

    def _leave_out(self, span: AnySpan, awaited: Scope | None) -> None:
        self.left_out_count += 1
        self._remember(span, self._left_out)
        if awaited is not None:
            self.left_out_count += awaited.span_count()
            awaited.into = self._left_out

    # ---- the session's own scope ----

    def _is_session(self, span: AnySpan) -> bool:
        return span.id == self._session_id or (self._session_id is None and span.name == SESSION_NAME)

    def _home_now(self) -> Scope:
        """The session's scope, made up if its span never came."""
        if self._home is None:
            self._home = self.top.child(self._missing_root(), self._few)
        return self._home.standing()

    def _missing_root(self) -> Span:
        begun_ns = [scope.earliest_ns() for scope in (*self._awaited.values(), self.top)]
        return Span(
            id=self._session_id or "",
            name=SESSION_NAME,
            parent_id=None,
            index=None,
            start_ns=min((instant_ns for instant_ns in begun_ns if instant_ns), default=self.last_ns),
            end_ns=None,
            cpu_ns=None,
            gpu_ns=None,
            memory_peak_bytes=None,
            thread_id=0,
            pid=0,
            rank=0,
            attrs={ATTR_INTERRUPTED: True} if self._recovered else {},
            mark_ids=[],
        )
