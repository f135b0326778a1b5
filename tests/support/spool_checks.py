"""Whether a spool keeps every promise of docs/spool-format.md.

Usage: `assert_valid_spool(tmp_path)` at the end of any test that wrote a spool.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from cirron.spool import Batch, Mark, Span, SpoolFile, read
from cirron.spool.records import ATTR_INTERRUPTED, NO_SESSION_ID, is_session_span
from cirron.spool.schema import SCHEMA_FILE

# jsonschema needs a fraction of a millisecond for each record, and a kill test writes a million. The reader
# checks every record against the same types; so many of each kind in a file go through the schema as well.
SCHEMA_SAMPLE = 100

_HEX32 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_VALIDATOR = Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def assert_valid_spool(directory: Path | str) -> None:
    """Fail with a list of every broken promise: schema, file names, ids, references, times."""
    broken = list(broken_promises(directory))
    assert not broken, "\n".join(broken[:50])


def broken_promises(directory: Path | str) -> Iterator[str]:
    """What is wrong with a spool, one sentence each."""
    reader = read(directory)
    entries = list(reader.entries())
    yield from (f"unreadable: {problem}" for problem in reader.problems)
    for file, batch in entries:
        yield from (f"{file.name}: {fault}" for fault in _batch_faults(file, batch))
    by_session: dict[str, list[Batch]] = {}
    for _, batch in entries:
        by_session.setdefault(reader.session_of(batch), []).append(batch)
    for session_id, batches in by_session.items():
        yield from (f"session {session_id}: {fault}" for fault in _session_faults(session_id, batches))
    yield from _id_faults([batch for _, batch in entries])


def _batch_faults(file: SpoolFile, batch: Batch) -> Iterator[str]:
    yield from _schema_faults(json.loads(file.path.read_bytes()))
    if (batch.created_ns, batch.batch_id) != (file.created_ns, file.batch_id):
        yield f"holds batch {batch.created_ns}-{batch.batch_id}"
    if batch.rank is not None and batch.world_size is not None and not batch.rank < batch.world_size:
        yield f"rank {batch.rank} of {batch.world_size}"
    marks = {mark.id: mark for mark in batch.marks}
    for span in batch.spans:
        yield from (f"span {span.id} ({span.name}): {fault}" for fault in _span_faults(span, marks))
    claimed = Counter(mark_id for span in batch.spans for mark_id in span.mark_ids)
    yield from (f"mark {mark_id} is listed {times} times" for mark_id, times in claimed.items() if times > 1)


def _schema_faults(document: dict[str, Any]) -> Iterator[str]:
    sample = {
        key: value[:SCHEMA_SAMPLE] if isinstance(value, list) else value for key, value in document.items()
    }
    for error in _VALIDATOR.iter_errors(sample):
        yield f"schema: {error.json_path}: {error.message}"


def _span_faults(span: Span, marks: dict[str, Mark]) -> Iterator[str]:
    if span.end_ns is None and span.attrs.get(ATTR_INTERRUPTED) is not True:
        yield "no end, and not interrupted"
    if span.end_ns is not None and span.end_ns < span.start_ns:
        yield f"ends at {span.end_ns}, before its start at {span.start_ns}"
    for mark_id in span.mark_ids:
        if mark_id not in marks:
            yield f"lists mark {mark_id}, which is not in the batch"
        elif marks[mark_id].span_id != span.id:
            yield f"lists mark {mark_id} of span {marks[mark_id].span_id}"


def _session_faults(session_id: str, batches: list[Batch]) -> Iterator[str]:
    roots = [span for batch in batches for span in batch.spans if is_session_span(span)]
    if len(roots) > 1:
        yield f"{len(roots)} root spans"
    if any(root.id != session_id for root in roots):
        yield f"its root span has the id {roots[0].id}"
    if roots and not _has_losses(batches):  # the rest of a live session is still to come
        yield from _dangling(session_id, batches)


def _has_losses(batches: list[Batch]) -> bool:
    return any(batch.counters is not None and batch.counters.spans_dropped > 0 for batch in batches)


def _dangling(session_id: str, batches: list[Batch]) -> Iterator[str]:
    known = {span.id for batch in batches for span in batch.spans} | {session_id, NO_SESSION_ID}
    for batch in batches:
        for span in batch.spans:
            if span.parent_id is not None and span.parent_id not in known:
                yield f"span {span.id} ({span.name}) has the parent {span.parent_id}, which is nowhere"
        for record in (*batch.marks, *batch.snapshots):
            if record.span_id not in known:
                yield f"record {record.id} belongs to span {record.span_id}, which is nowhere"


def _id_faults(batches: list[Batch]) -> Iterator[str]:
    for kind in ("span", "mark", "snapshot"):
        ids = Counter(record.id for batch in batches for record in getattr(batch, f"{kind}s"))
        yield from (f"{kind} id {name} occurs {times} times" for name, times in ids.items() if times > 1)
        yield from (f"{kind} id {name} is not 32 hex digits" for name in _not_hex(ids))


def _not_hex(ids: Iterable[str]) -> Iterator[str]:
    return (name for name in ids if not _HEX32.fullmatch(name))
