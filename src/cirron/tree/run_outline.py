"""The scopes of a whole run: of one process as they are, of several ranks side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cirron.spool.reader import Reader
from cirron.spool.records import ATTR_INTERRUPTED, AnyBatch, Counters, LeanBatch, LeanSpan, Span, TimesBatch
from cirron.spool.runs import Run
from cirron.tree.outline import Outline
from cirron.tree.scope import FEW, Scope

WORKERS = "workers"


@dataclass(frozen=True)
class Shape:
    """What an outline shall hold.

    Attributes:
        few: how many spans of one name may stand one by one; 1 for a table by path.
        min_wall_ns: leave out spans that took less, and all below them.
        marks: whether marks are wanted; without them reading is faster by half.
    """

    few: int = FEW
    min_wall_ns: int = 0
    marks: bool = True


@dataclass
class RunOutline:
    """What `outline_run` found.

    Attributes:
        top: holds the roots: the session, or all ranks' as one; below it the workers' as one, if there are any.
        left_out_count: spans that were shorter than asked for.
        spans_dropped, marks_dropped: what the sessions recorded and lost, as they counted it themselves.
    """

    top: Scope
    left_out_count: int = 0
    spans_dropped: int = 0
    marks_dropped: int = 0


OpenSpans = Callable[[str], Iterable[Span | LeanSpan]]


def outline_run(
    reader: Reader, run: Run, shape: Shape = Shape(), open_spans: OpenSpans = lambda _: (), now_ns: int = 0
) -> RunOutline:
    """The scopes of all sessions of a run, in one pass over their batches.

    Where there are several ranks, each scope tells in `rank_walls_ns` what the ranks spent in it.

    Args:
        reader: gives the batches of these sessions.
        run: says which is a rank and which a worker.
        shape: what is wanted.
        open_spans: the spans that a session, given by its id, has open now.
        now_ns: up to when those are open.
    """
    lost: dict[str, Counters] = {}

    def note_losses(batch: AnyBatch) -> None:
        if batch.counters is not None:
            lost.setdefault(reader.session_of(batch), batch.counters)  # the newest batch has the totals

    outlines, live = read_outlines(reader, run, shape, open_spans, note_losses)
    for session_id, outline in outlines.items():
        if session_id in live:
            outline.settle(now_ns)  # what still lacks its parent will have it in a moment
        else:
            outline.finish()
    left_out_count = sum(outline.left_out_count for outline in outlines.values())
    top = together(run, {session_id: outline.top for session_id, outline in outlines.items()})
    return RunOutline(
        top,
        left_out_count,
        sum(counters.all_spans_dropped for counters in lost.values()),
        sum(counters.all_marks_dropped for counters in lost.values()),
    )


def read_outlines(
    reader: Reader,
    run: Run,
    shape: Shape,
    open_spans: OpenSpans,
    met: Callable[[AnyBatch], object] = lambda _: None,
) -> tuple[dict[str, Outline], set[str]]:
    """The outlines of all sessions of a run, yet to be finished, and the ids of those that live.

    Args:
        reader: gives the batches of these sessions.
        run: whose they are.
        shape: what is wanted.
        open_spans: the spans that a session, given by its id, has open now; asked before the batches are read, so
            that a scope which closes meanwhile is met twice and not missed.
        met: is told of each batch.
    """
    outlines = {session.id: Outline(session.id, shape.few, shape.min_wall_ns) for session in run.sessions}
    live = {
        session_id for session_id, outline in outlines.items() if _add_open(outline, open_spans(session_id))
    }
    for batch, older_ns in reader.lean_batches(LeanBatch if shape.marks else TimesBatch):
        outlines[reader.session_of(batch)].add(batch, older_ns)
        met(batch)
    return outlines, live


def _add_open(outline: Outline, spans: Iterable[Span | LeanSpan]) -> bool:
    """Count what is open; whether the session lives."""
    found = list(spans)
    outline.add_open(found)
    return any(ATTR_INTERRUPTED not in span.attrs for span in found)


def together(run: Run, tops: dict[str, Scope]) -> Scope:
    """One picture of all processes of a run, made of their scopes; those of a single rank stay as they are.

    Args:
        run: says which is a rank and which a worker.
        tops: by session; what is below them moves.
    """
    if len(run.ranks) == 1:
        top = tops[run.ranks[0].id]
    else:
        top = Scope("")
        for session in run.ranks:
            for scope in list(tops[session.id].scopes()):
                _tell_rank(scope, session.rank)
                top.adopt(scope, few=1)
    for session in run.workers:
        for scope in list(tops[session.id].scopes()):
            scope.name = WORKERS
            top.adopt(scope, few=1)
    return top


def _tell_rank(top: Scope, rank: int) -> None:
    for scope in top.walk():
        scope.rank_walls_ns = {rank: scope.total_ns}
