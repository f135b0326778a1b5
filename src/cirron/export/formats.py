"""The formats of `cirron traces export`; a new one is one more entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cirron.export.csv_tables import write_csv
from cirron.export.destination import Sink
from cirron.export.html import write_html
from cirron.export.json_file import write_json
from cirron.export.otlp import write_otlp
from cirron.export.parquet_tables import write_parquet
from cirron.export.perfetto import write_perfetto
from cirron.export.source import Source
from cirron.export.speedscope import write_speedscope


@dataclass(frozen=True)
class FileFormat:
    """A format that is one file.

    Attributes:
        name: as the user gives it.
        summary: one line for the help.
        suffix: what the file's name ends in unless the user names it.
        next_step: what to do with it, as a clause.
        write: writes it.
        is_text: whether a terminal can show it.
    """

    name: str
    summary: str
    suffix: str
    next_step: str
    write: Callable[[Source, Sink], None]
    is_text: bool = True


@dataclass(frozen=True)
class FolderFormat:
    """A format that is a folder of files; attributes as for `FileFormat`."""

    name: str
    summary: str
    suffix: str
    next_step: str
    write: Callable[[Source, Path], None]


Format = FileFormat | FolderFormat

_ALL: tuple[Format, ...] = (
    FileFormat(
        name="json",
        summary="one document: sessions, spans, marks, snapshots",
        suffix=".json",
        next_step="read it with any JSON parser",
        write=write_json,
    ),
    FolderFormat(
        name="csv",
        summary="a folder of tables that everything can read",
        suffix="-csv",
        next_step="a mark's `span_id` is the `id` of its span",
        write=write_csv,
    ),
    FolderFormat(
        name="parquet",
        summary='a folder of typed tables; needs pip install "cirron[parquet]"',
        suffix="-parquet",
        next_step="read it with pandas, DuckDB or polars",
        write=write_parquet,
    ),
    FileFormat(
        name="otel",
        summary="OTLP/JSON, one request a line, for an OpenTelemetry collector",
        suffix=".otlp.jsonl",
        next_step="give it to a collector's otlpjsonfile receiver, or post its lines to /v1/traces",
        write=write_otlp,
    ),
    FileFormat(
        name="perfetto",
        summary="a timeline of ranks, processes and threads for the Perfetto UI",
        suffix=".perfetto-trace",
        next_step="open it at https://ui.perfetto.dev",
        write=write_perfetto,
        is_text=False,
    ),
    FileFormat(
        name="speedscope",
        summary="a flame graph of each rank and worker for speedscope",
        suffix=".speedscope.json",
        next_step="open it at https://www.speedscope.app",
        write=write_speedscope,
    ),
    FileFormat(
        name="html",
        summary="one offline page: flame graph, table by path, charts of marks",
        suffix=".html",
        next_step="open it in a browser",
        write=write_html,
    ),
)

FORMATS: dict[str, Format] = {form.name: form for form in _ALL}
