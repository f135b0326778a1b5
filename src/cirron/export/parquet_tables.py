"""The format `parquet`: a folder with one file a table, typed, for pandas, DuckDB, polars and the like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from cirron.errors import CirronDependencyError
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
from cirron.spool import Mark, Session

MARK_COLUMNS = (
    "session_id", "id", "span_id", "name", "value_type", "value_float", "value_int", "value_string", "value_bool",
    "kind", "ts_ns", "attrs",
)  # fmt: skip
ROW_GROUP_ROWS = 100_000

_INT64 = range(-(2**63), 2**63)
_INTEGERS = {field.name for field in fields(Session) if field.type in (int, "int")} | {
    "index", "start_ns", "end_ns", "wall_ns", "cpu_ns", "gpu_ns", "memory_peak_bytes", "thread_id", "ts_ns",
    "value_int",
}  # fmt: skip
_FLOATS = {"value_float", "mean", "std", "min", "max", "norm"}
# Columns whose values repeat. Ids do not, and a dictionary of them would only take memory.
_REPEATING = {
    "session_id", "name", "state", "value_type", "value_string", "kind", "tensor_name", "dtype", "mode", "attrs",
    "host", "run_id", "worker", "ended",
}  # fmt: skip
_TIMES = ("start_ns", "ts_ns")  # each has a `time` beside it, for those who like a timestamp


class _Tables(NamedTuple):
    sessions: _Table
    spans: _Table
    marks: _Table
    snapshots: _Table


def write_parquet(source: Source, folder: Path) -> None:
    """Write `sessions.parquet`, `spans.parquet`, `marks.parquet` and `snapshots.parquet`.

    Times are integers as in the spool; `time` is the beginning of a span, or the instant of a mark or snapshot, as a
    timestamp. A mark's value stands in the column of its type; an integer beyond 64 bits in `value_string`.

    Args:
        source: the records.
        folder: takes the files.

    Raises:
        CirronDependencyError: pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    columns = (SESSION_COLUMNS, SPAN_COLUMNS, MARK_COLUMNS, SNAPSHOT_COLUMNS)
    with ExitStack() as files:
        opened = []
        for name, head in zip(_Tables._fields, columns, strict=True):
            schema = _schema(arrow, head)
            repeating = [column for column in head if column in _REPEATING]
            writer = parquet.ParquetWriter(
                folder / f"{name}.parquet", schema, compression="zstd", use_dictionary=repeating
            )
            opened.append(_Table(arrow, files.enter_context(writer), schema, head))
        _fill(_Tables(*opened), source)


def _fill(tables: _Tables, source: Source) -> None:
    tables.sessions.extend(map(session_row, source.sessions))
    for session, batch, _ in source.parts():
        tables.spans.extend(span_row(session.id, span) for span in batch.spans)
        tables.marks.extend(_mark_row(session.id, mark) for mark in batch.marks)
        tables.snapshots.extend(snapshot_row(session.id, snapshot) for snapshot in batch.snapshots)
    for table in tables:
        table.flush()


def _mark_row(session_id: str, mark: Mark) -> Row:
    return (
        session_id, mark.id, mark.span_id, mark.name, mark.value_type, *_values(mark), mark.kind, mark.ts_ns,
        as_json(mark.attrs),
    )  # fmt: skip


def _values(mark: Mark) -> tuple[float | None, int | None, str | None, bool | None]:
    """The value in the place of its type, the other three empty."""
    value = mark_value(mark)
    match value:
        case bool():
            return None, None, None, value
        case float():
            return value, None, None, None
        case int() if value in _INT64:
            return None, value, None, None
        case None:
            return None, None, None, None
    return None, None, str(value), None


class _Table:
    """One file; rows wait until there are enough for a group."""

    def __init__(self, arrow: Any, writer: Any, schema: Any, columns: Sequence[str]) -> None:
        self._arrow = arrow
        self._writer = writer
        self._schema = schema
        self._columns = columns
        self._rows: list[Row] = []

    def extend(self, rows: Iterable[Row]) -> None:
        self._rows.extend(rows)
        if len(self._rows) >= ROW_GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in groups."""
        rows, self._rows = self._rows, []
        for start in range(0, len(rows), ROW_GROUP_ROWS):
            self._writer.write_table(self._table(rows[start : start + ROW_GROUP_ROWS]))

    def _table(self, rows: list[Row]) -> Any:
        values = dict(zip(self._columns, zip(*rows, strict=True), strict=True))
        arrays = {name: self._array(name, column) for name, column in values.items()}
        for name in _TIMES:
            if name in arrays:
                arrays["time"] = arrays[name].cast(self._schema.field("time").type)
        return self._arrow.table([arrays[name] for name in self._schema.names], schema=self._schema)

    def _array(self, name: str, column: Sequence[Any]) -> Any:
        kind = self._schema.field(name).type
        try:
            return self._arrow.array(column, type=kind)
        except (OverflowError, self._arrow.ArrowInvalid):  # the spool's integers know no bounds
            fitting = [value if value in _INT64 else None for value in column]
            return self._arrow.array(fitting, type=kind)


def _schema(arrow: Any, columns: Sequence[str]) -> Any:
    fields = [(name, _type(arrow, name)) for name in columns]
    if any(name in columns for name in _TIMES):
        fields.append(("time", arrow.timestamp("ns", tz="UTC")))
    return arrow.schema(fields)


def _type(arrow: Any, name: str) -> Any:
    if name in _INTEGERS:
        return arrow.int64()
    if name in _FLOATS:
        return arrow.float64()
    special = {
        "shape": arrow.list_(arrow.int64()),
        "histogram_counts": arrow.list_(arrow.int64()),
        "histogram_bins": arrow.list_(arrow.float64()),
        "value_bool": arrow.bool_(),
    }
    return special.get(name, arrow.string())


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise CirronDependencyError(
            'the format parquet needs pyarrow, which is not installed: pip install "cirron[parquet]"'
        ) from error
    return pyarrow, pyarrow.parquet
