"""The format `json`: one document with the sessions and all their records, one record a line."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import msgspec

from cirron.export.destination import Sink
from cirron.export.source import Source
from cirron.spool import Session

_encode = msgspec.json.Encoder().encode


def write_json(source: Source, sink: Sink) -> None:
    """Write `{"sessions": […], "spans": […], "marks": […], "snapshots": […]}`.

    Records look as they do in the spool, with the `session_id` in front. Marks and snapshots wait in scratch files
    while the spans are written, so that the spool is read once.

    Args:
        source: the records.
        sink: takes the document.
    """
    sink.write(b'{"sessions":[')
    _List(sink).extend(_encode(_session(session)) for session in source.sessions)
    with sink.scratch() as marks_file, sink.scratch() as snapshots_file:
        sink.write(b'\n],\n"spans":[')
        spans, marks, snapshots = _List(sink), _List(Sink(marks_file)), _List(Sink(snapshots_file))
        for session, batch, _ in source.parts():
            whose = b'{"session_id":' + _encode(session.id) + b","
            spans.extend(whose + _encode(span)[1:] for span in batch.spans)
            marks.extend(whose + _encode(mark)[1:] for mark in batch.marks)
            snapshots.extend(whose + _encode(snapshot)[1:] for snapshot in batch.snapshots)
        for key, file in ((b"marks", marks_file), (b"snapshots", snapshots_file)):
            sink.write(b'\n],\n"' + key + b'":[')
            file.seek(0)
            shutil.copyfileobj(file, sink.file)
    sink.write(b"\n]}\n")


class _List:
    """The elements of one list, with commas between them."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._separator = b"\n"

    def extend(self, elements: Iterable[bytes]) -> None:
        lines = b",\n".join(elements)
        if lines:
            self._sink.write(self._separator + lines)
            self._separator = b",\n"


def _session(session: Session) -> dict[str, Any]:
    facts = asdict(session)
    return {"session_id": facts.pop("id")} | facts
