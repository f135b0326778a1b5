"""What a recorder wrote, as text that is the same on every run."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from cirron.snapshots.summary import GRAD_NORM, UPDATE_RATIO
from cirron.spool import Batch, Mark, Span, read
from support.spool_checks import assert_valid_spool


def draw(spool: Path) -> str:
    """One line a span, indented by depth: name and index, attributes, then its marks after bars.

    Times and ids are left out, and so is what cirron adds by itself, the marks on an epoch's weights included, but for
    `(interrupted)`, and the pauses for garbage, which come when they come. What belongs to a session whose root span is
    not written yet stands under `cirron.session (live)`.
    """
    batches = batches_of(spool)
    return "\n".join(line for root in _roots(batches) for line in _lines(root, 0, _Records(batches)))


def batches_of(spool: Path) -> list[Batch]:
    """Every batch of a spool that keeps all promises of the format."""
    assert_valid_spool(spool)
    for path in spool.glob("*.json"):
        json.loads(path.read_bytes(), object_pairs_hook=_no_key_twice)
    return list(read(spool).batches())


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"an object has a key twice: {keys}"
    return dict(pairs)


class _Records:
    """Spans and marks by what they belong to, in the order of time."""

    def __init__(self, batches: list[Batch]) -> None:
        self.children: dict[str | None, list[Span]] = defaultdict(list)
        self.marks: dict[str, list[Mark]] = defaultdict(list)
        for span in sorted(
            (span for batch in batches for span in batch.spans), key=lambda span: span.start_ns
        ):
            self.children[span.parent_id].append(span)
        for mark in sorted((mark for batch in batches for mark in batch.marks), key=lambda mark: mark.ts_ns):
            self.marks[mark.span_id].append(mark)


def _roots(batches: list[Batch]) -> list[Span | str]:
    roots: dict[str | None, Span | str] = {batch.session_id: batch.session_id or "" for batch in batches}
    roots |= {batch.session_id: batch.session_span for batch in batches if batch.session_span}
    return list(roots.values())


def _lines(span: Span | str, depth: int, records: _Records) -> list[str]:
    span_id = span if isinstance(span, str) else span.id
    title = "cirron.session (live)" if isinstance(span, str) else _title(span)
    marks = [_mark(mark) for mark in records.marks[span_id] if not _is_ours(mark)]
    line = "  " * depth + " | ".join([title, *marks])
    children = records.children[span_id]
    return [line, *(text for child in children for text in _lines(child, depth + 1, records))]


def _title(span: Span) -> str:
    index = "" if span.index is None else f"[{span.index}]"
    interrupted = ["(interrupted)"] if span.end_ns is None else []
    return " ".join([span.name + index, *_attrs(span.attrs), *interrupted])


def _is_ours(mark: Mark) -> bool:
    of_weights = mark.kind == "summary" and mark.name in (GRAD_NORM, UPDATE_RATIO)
    return of_weights or mark.name == "gc_pause_ms" or mark.name.startswith("cirron.")


def _mark(mark: Mark) -> str:
    value = mark.value_nonfinite or repr(mark.value)
    summary = [] if mark.kind == "point" else [mark.kind]
    return " ".join([f"{mark.name}={value}", *summary, *_attrs(mark.attrs)])


def _attrs(attrs: dict[str, Any]) -> list[str]:
    return [f"{key}={value!r}" for key, value in attrs.items() if not key.startswith("cirron.")]
