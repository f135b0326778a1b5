"""Compares what a program's books say with what can be read of its records, wherever they are."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from faults.fault import Fault, Found, Outcome, Ran, Stage
from faults.gather import broken, different_copies, gather, recover
from faults.noticed import misspoken, told_secrets, unlike

BEGUN, MARKED, CLOSED = 1, 2, 3  # of `programs/user.py`
Batch = dict[str, Any]
Key = tuple[str, int, int]  # kind, lane, step

# Where losses are counted: the key in a batch's counters, and in health().
COUNTERS = {
    "span": {"spans_dropped": "span_drop_count", "spool_spans_dropped": "spool_drop_span_count"},
    "mark": {"marks_dropped": "mark_drop_count", "spool_marks_dropped": "spool_drop_mark_count"},
}


def settle(fault: Fault, stage: Stage, ran: Ran, reference: Ran) -> Outcome:
    """The account of one recorded run."""
    outcome = Outcome(fault, warnings=len(ran.warnings))
    outcome.wrong += [*ran.failures, *reference.failures, *recover(stage)]
    files = gather(stage, ran)
    found = Found(ran, [json.loads(content) for content in files.values()])
    _count(outcome, _books(fault, stage), found)
    outcome.wrong += [*different_copies(stage), *broken(stage, files, lossy=outcome.lost > 0)]
    outcome.wrong += [*unlike(outcome, ran, reference), *misspoken(fault, ran), *told_secrets(stage, ran)]
    outcome.wrong += [*_not_caused(fault, ran, reference), *_misled(fault, found), *fault.check(found)]
    return outcome


def _books(fault: Fault, stage: Stage) -> list[bytes]:
    books = (stage.folder / "books").read_bytes()
    return [books[at : at + fault.steps] for at in range(0, len(books), fault.steps)]


def _count(outcome: Outcome, books: list[bytes], found: Found) -> None:
    records = Counter(key for batch in found.batches for key in _keys(batch))
    sure = {*_certain(books, "span", CLOSED), *_certain(books, "mark", MARKED)}
    outcome.expected, outcome.found = len(sure), len(sure & records.keys())
    for kind, counters in COUNTERS.items():
        missing = sum(key[0] == kind for key in sure - records.keys())
        counted = _losses(counters, found)
        outcome.counted += counted
        if missing != counted:
            outcome.wrong.append(f"{missing} {kind}s are missing, and {counted} are counted")
    if outcome.fault.lossless and outcome.lost:
        outcome.wrong.append(f"{outcome.lost} records are lost")
    outcome.wrong += [*_strangers(records, books), *_misplaced(found)]


def _keys(batch: Batch) -> Iterator[Key]:
    for span in batch["spans"]:
        if span["name"] == "step":
            kind = "open span" if span["end_ns"] is None else "span"
            yield kind, span["attrs"]["lane"], span["index"]
    for mark in batch["marks"]:
        if mark["name"] == "loss":
            yield "mark", mark["attrs"]["lane"], mark["value"]


def _certain(books: list[bytes], kind: str, least: int) -> Iterator[Key]:
    for lane, steps in enumerate(books):
        yield from ((kind, lane, number) for number, seen in enumerate(steps) if seen >= least)


def _losses(counters: dict[str, str], found: Found) -> int:
    """What the sessions count, each by its newest word: `health()` at its end, else its newest batch."""
    said: dict[str, int] = {}
    for batch in sorted(found.batches, key=lambda batch: batch["created_ns"]):
        said[batch["session_id"]] = sum(batch["counters"].get(name, 0) for name in counters)
    for session_id, health in found.ran.healths.items():
        said[session_id] = sum(health.get(name, 0) for name in counters.values())
    return sum(said.values())


def _strangers(records: Counter[Key], books: list[bytes]) -> list[str]:
    twice = [
        f"{key} was recorded once and is there {times} times" for key, times in records.items() if times > 1
    ]
    unknown = [f"{key} was never begun" for key in records if books[key[1]][key[2]] < BEGUN]
    return [*twice[:10], *unknown[:10]]


def _not_caused(fault: Fault, *runs: Ran) -> Iterator[str]:
    for ran in runs:
        if not re.search(fault.proof, ran.stdout):
            yield f"the fault was not there: {fault.proof!r} is not in {ran.stdout[-500:]!r}"


def _misplaced(found: Found) -> Iterator[str]:
    """Marks that belong to another step than the one they were made in."""
    spans = {span["id"]: span for batch in found.batches for span in batch["spans"]}
    marks = (mark for batch in found.batches for mark in batch["marks"] if mark["name"] == "loss")
    for mark in marks:
        span = spans.get(mark["span_id"])
        if span is None or span["name"] != "step":
            continue
        made_in, is_in = (mark["attrs"]["lane"], mark["value"]), (span["attrs"]["lane"], span["index"])
        if made_in != is_in:
            yield f"a mark of lane and step {made_in} belongs to {is_in}"


def _misled(fault: Fault, found: Found) -> Iterator[str]:
    if found.ended != sorted(fault.ended):
        yield f"the sessions say they ended {found.ended}, not {sorted(fault.ended)}"
