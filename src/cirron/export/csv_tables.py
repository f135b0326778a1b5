"""The format `csv`: a folder with one file a table, as RFC 4180 describes them, in UTF-8."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from cirron.export.source import Source
from cirron.export.tables import (
    SESSION_COLUMNS,
    SNAPSHOT_COLUMNS,
    SPAN_COLUMNS,
    Row,
    as_json,
    mark_value,
    session_row,
    snapshot_row,
    span_row,
)
from cirron.spool import Mark, Snapshot

MARK_COLUMNS = ("session_id", "id", "span_id", "name", "value_type", "value", "kind", "ts_ns", "attrs")

_SHAPE = SNAPSHOT_COLUMNS.index("shape")
_BINS = SNAPSHOT_COLUMNS.index("histogram_bins")
_COUNTS = SNAPSHOT_COLUMNS.index("histogram_counts")


class _Writer(Protocol):
    def writerows(self, rows: Iterable[Iterable[Any]], /) -> None: ...


class _Tables(NamedTuple):
    sessions: _Writer
    spans: _Writer
    marks: _Writer
    snapshots: _Writer


def write_csv(source: Source, folder: Path) -> None:
    """Write `sessions.csv`, `spans.csv`, `marks.csv` and `snapshots.csv`.

    What is unknown is an empty field; attributes, shapes and histograms are JSON; a mark that is not a finite number
    reads `nan`, `inf` or `-inf`.

    Args:
        source: the records.
        folder: takes the files.
    """
    columns = (SESSION_COLUMNS, SPAN_COLUMNS, MARK_COLUMNS, SNAPSHOT_COLUMNS)
    with ExitStack() as files:
        opened = [
            _open(files, folder / f"{name}.csv", head)
            for name, head in zip(_Tables._fields, columns, strict=True)
        ]
        _fill(_Tables(*opened), source)


def _open(files: ExitStack, path: Path, head: Sequence[str]) -> _Writer:
    file = files.enter_context(path.open("w", encoding="utf-8", newline=""))
    writer = csv.writer(file)
    writer.writerow(head)
    return writer


def _fill(tables: _Tables, source: Source) -> None:
    tables.sessions.writerows(map(session_row, source.sessions))
    for session, batch, _ in source.parts():
        tables.spans.writerows(span_row(session.id, span) for span in batch.spans)
        tables.marks.writerows(_mark_row(session.id, mark) for mark in batch.marks)
        tables.snapshots.writerows(_snapshot_row(session.id, snapshot) for snapshot in batch.snapshots)


def _mark_row(session_id: str, mark: Mark) -> Row:
    value = mark_value(mark)
    if isinstance(value, bool):
        value = "true" if value else "false"
    return (
        session_id, mark.id, mark.span_id, mark.name, mark.value_type, value, mark.kind, mark.ts_ns,
        as_json(mark.attrs),
    )  # fmt: skip


def _snapshot_row(session_id: str, snapshot: Snapshot) -> Row:
    row = list(snapshot_row(session_id, snapshot))
    for position in (_SHAPE, _BINS, _COUNTS):
        row[position] = None if row[position] is None else as_json(row[position])
    return tuple(row)
