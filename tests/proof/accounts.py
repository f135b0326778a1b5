"""Compares what a spool holds with what the witness saw `programs/work.py` record."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cirron.spool import Batch, Mark, Span, read
from cirron.spool.records import ATTR_INTERRUPTED, Counters, is_session_span
from proof.programs.witness import (
    BEGUN,
    CLOSED,
    FIELDS,
    INNER,
    INNER_EVERY,
    LANES,
    MARKED,
    OPENED,
    numbers,
)
from support.spool_checks import broken_promises


@dataclass
class Lane:
    """One thread or task: what the witness saw of it, and what was found, by number of the step."""

    number: int
    seen: list[int]
    steps: dict[int, Span] = field(default_factory=dict)
    inners: dict[int, Span] = field(default_factory=dict)
    marks: dict[int, Mark] = field(default_factory=dict)


@dataclass
class Account:
    """What was found in a spool, and what is wrong with it."""

    spans: int = 0
    marks: int = 0
    open: int = 0
    returned: int = 0
    spans_missing: int = 0
    marks_missing: int = 0
    dropped: Counters = field(default_factory=Counters)
    faults: list[str] = field(default_factory=list)


def settle(root: Path, witness: Path, killed: bool = True) -> Account:
    """The account of one session that has ended, with all its faults."""
    account = Account()
    lanes = _lanes(witness)
    batches = list(read(root).batches())
    for batch in batches:
        account.faults += _sort_in(batch, lanes)
    _count(account, lanes, batches)
    for lane in lanes.values():
        account.faults += _lane_faults(lane)
    account.faults += _loss_faults(account, len(lanes) if killed else 0)
    account.faults += _session_faults(batches, killed, any(lane.seen[BEGUN] for lane in lanes.values()))
    account.faults += broken_promises(root)
    return account


def _lanes(witness: Path) -> dict[int, Lane]:
    seen = numbers(witness)
    lanes = (Lane(number, list(seen[number * FIELDS : (number + 1) * FIELDS])) for number in range(LANES))
    return {lane.number: lane for lane in lanes if lane.seen[BEGUN]}


def _sort_in(batch: Batch, lanes: dict[int, Lane]) -> Iterator[str]:
    """Give each record to its lane; what has none, or comes a second time, is a fault."""
    for span in batch.spans:
        if not is_session_span(span):
            kind, _, rest = span.name.partition("-")
            lane = lanes.get(int(rest.partition("/")[0]))
            yield from _put(lane, "steps" if kind == "step" else "inners", span.index, span)
    for mark in batch.marks:
        if mark.name.startswith("loss-"):
            yield from _put(lanes.get(int(mark.name[5:])), "marks", mark.value, mark)


def _put(lane: Lane | None, series: str, step: int, record: Span | Mark) -> Iterator[str]:
    if lane is None:
        yield f"{record.name} is of a lane that the witness never saw"
    elif getattr(lane, series).setdefault(step, record) is not record:
        yield f"{record.name}, step {step}, was recorded once and is there twice"


def _count(account: Account, lanes: dict[int, Lane], batches: list[Batch]) -> None:
    for lane in lanes.values():
        account.spans += len(lane.steps) + len(lane.inners)
        account.marks += len(lane.marks)
        account.open += sum(span.end_ns is None for span in lane.steps.values())
        inners = range(0, lane.seen[INNER], INNER_EVERY)
        account.returned += lane.seen[CLOSED] + lane.seen[MARKED] + len(inners)
        account.spans_missing += _missing(range(lane.seen[CLOSED]), lane.steps)
        account.spans_missing += _missing(inners, lane.inners)
        account.marks_missing += _missing(range(lane.seen[MARKED]), lane.marks)
    for batch in sorted(batches, key=lambda batch: batch.created_ns):
        account.dropped = batch.counters or account.dropped


def _missing(expected: range, found: dict[int, object]) -> int:
    return sum(step not in found for step in expected)


def _lane_faults(lane: Lane) -> Iterator[str]:
    for step, span in lane.steps.items():
        yield from (f"{span.name}[{step}] {fault}" for fault in _step_faults(lane, step, span))
    for step, inner in lane.inners.items():
        yield from (f"{inner.name} {fault}" for fault in _inner_faults(lane, step, inner))
    for step, mark in lane.marks.items():
        yield from (f"{mark.name} of step {step} {fault}" for fault in _mark_faults(lane, step, mark))
    for step in range(lane.seen[CLOSED], lane.seen[OPENED]):
        if step not in lane.steps:
            yield f"step-{lane.number}[{step}] was open, and is neither open nor closed in the spool"


def _step_faults(lane: Lane, step: int, span: Span) -> Iterator[str]:
    if step >= lane.seen[BEGUN]:
        yield "was never begun"
    if step < lane.seen[CLOSED] and span.end_ns is None:
        yield "was closed, and is open in the spool"
    if (span.end_ns is None) != (span.attrs.get(ATTR_INTERRUPTED) is True):
        yield f"ends at {span.end_ns} with the attributes {span.attrs}"
    if span.attrs.get("text") != f"{lane.number}/{step}":
        yield f"has the attributes {span.attrs}"


def _inner_faults(lane: Lane, step: int, inner: Span) -> Iterator[str]:
    if inner.name != f"inner-{lane.number}/{step}":
        yield f"has the index {step}"
    if step >= lane.seen[MARKED]:
        yield "was never begun"
    if step in lane.steps and inner.parent_id != lane.steps[step].id:
        yield f"has the parent {inner.parent_id}, which is not its step"


def _mark_faults(lane: Lane, step: int, mark: Mark) -> Iterator[str]:
    if step >= lane.seen[OPENED]:
        yield "was never made"
    if mark.attrs != {"text": f"{lane.number}/{step}"}:
        yield f"has the attributes {mark.attrs}"
    if step in lane.steps and mark.span_id != lane.steps[step].id:
        yield f"belongs to {mark.span_id}, which is not its step"


def _loss_faults(account: Account, doubtful: int) -> Iterator[str]:
    """Losses that differ from the counters: a kill may fall between an overwriting and its count, once a lane."""
    for kind in ("spans", "marks"):
        missing, dropped = getattr(account, f"{kind}_missing"), getattr(account.dropped, f"{kind}_dropped")
        if abs(missing - dropped) > (doubtful if dropped else 0):
            yield f"{missing} {kind} are missing, and {dropped} are counted as dropped"


def _session_faults(batches: list[Batch], killed: bool, must_be: bool) -> Iterator[str]:
    ends = [
        span.attrs.get("cirron.ended") for batch in batches for span in batch.spans if is_session_span(span)
    ]
    expected = ["killed" if killed else "completed"]
    if ends != expected and (must_be or ends):
        yield f"the session spans say {ends}, not {expected}"
