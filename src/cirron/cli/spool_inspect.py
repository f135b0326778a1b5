"""`cirron spool inspect`: which batches lie in a spool, told from names and sizes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from cirron.cli.spool_folder import batch_files, dir_option, nothing_in, size_text, spool_folder, total_bytes
from cirron.spool import SpoolFile
from cirron.tree import units

_HEAD = ("Timestamp", "Size", "File")
_TO_ASCII = str.maketrans("┌┬┐├┼┤└┴┘│─", "+++++++++|-")


@click.command(
    "inspect",
    short_help="List the batches in the spool.",
    epilog="""Example:

    \b
    cirron spool inspect
    cirron spool inspect --dir runs/run-42/.cirron/spool
    cirron spool inspect --json | jq .totalBytes
    """,
)
@dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the batches as JSON.")
def inspect_command(directory: Path | None, as_json: bool) -> None:
    """List the batches in the spool with their times and sizes, the oldest first.

    Opens none of them; 100,000 are listed in about a second. Needs no network.
    """
    spool = spool_folder(directory)
    files = batch_files(spool)
    if as_json:
        print(_json(spool, files))
    elif not files:
        print(nothing_in(spool))
    else:
        print(_table(spool, files))


def _table(spool: Path, files: Sequence[SpoolFile]) -> str:
    stamps = [units.instant(file.created_ns) for file in files]
    rows = [(stamp, size_text(file.size_bytes), file.name) for stamp, file in zip(stamps, files, strict=True)]
    summary = f"{units.counted(len(files), 'file')}, {size_text(total_bytes(files))}"
    head = f"Spool: {units.clean(str(spool))}  ({summary})\n"
    return head + _drawable(_grid(rows)) + f"\nOldest: {stamps[0]}   Newest: {stamps[-1]}"


# ---- the table ----


class _Widths(NamedTuple):
    stamp: int
    size: int
    name: int

    def rule(self, left: str, cross: str, right: str) -> str:
        return left + cross.join("─" * (width + 2) for width in self) + right

    def row(self, stamp: str, size: str, name: str) -> str:
        return f"│ {stamp:<{self.stamp}} │ {size:>{self.size}} │ {name:<{self.name}} │"


def _grid(rows: Sequence[tuple[str, str, str]]) -> str:
    widths = _Widths(*(max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)))
    return "\n".join(
        [
            widths.rule("┌", "┬", "┐"),
            widths.row(*_HEAD),
            widths.rule("├", "┼", "┤"),
            *(widths.row(*row) for row in rows),
            widths.rule("└", "┴", "┘"),
        ]
    )


def _drawable(grid: str) -> str:
    """The table in characters that standard output can carry."""
    try:
        "┌".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return grid.translate(_TO_ASCII)
    return grid


# ---- for programs ----


def _json(spool: Path, files: Sequence[SpoolFile]) -> str:
    """The document with an entry a line, so that it can be read and searched line by line as well."""
    head = {
        "dir": str(spool),
        "files": len(files),
        "totalBytes": total_bytes(files),
        "oldest": _named(files[0]) if files else None,
        "newest": _named(files[-1]) if files else None,
    }
    entries = ",\n    ".join(_entries(files))
    listed = f"[\n    {entries}\n  ]" if files else "[]"
    return f'{json.dumps(head, indent=2)[:-2]},\n  "entries": {listed}\n}}'


def _named(file: SpoolFile) -> dict[str, str]:
    return {"name": file.name, "createdNs": str(file.created_ns), "iso": units.instant(file.created_ns)}


def _entries(files: Sequence[SpoolFile]) -> Iterator[str]:
    for file in files:  # by hand, as there may be 100,000; nothing in a batch's name needs an escape
        sizes = f'"size": {file.size_bytes}, "createdNs": "{file.created_ns}"'
        yield f'{{ "name": "{file.name}", {sizes}, "iso": "{units.instant(file.created_ns)}" }}'
