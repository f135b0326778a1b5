"""The table behind `cirron traces view --flat`."""

from __future__ import annotations

from dataclasses import asdict

import msgspec

from cirron.cli.table import Column, print_table
from cirron.tree import Scope, units
from cirron.tree.flat import FlatRow, flat_rows
from cirron.tree.path_text import SEPARATOR, shortened


def _shorter(path: str, cells: int) -> str:
    """The path without its middle, as the innermost scope tells most."""
    return shortened(path.split(SEPARATOR), cells)


_COLUMNS = (
    Column("scope", is_left=True, can_be_cut=True, least=30, cut=_shorter),
    Column("count", rank=1),
    Column("total"),
    Column("self"),
    Column("mean", rank=2),
    Column("p50", rank=4),
    Column("p95", rank=3),
    Column("p99", rank=4),
    Column("share"),
)


def print_flat(top: Scope, *, as_json: bool) -> None:
    """Print a row for each path below `top`, on standard output."""
    rows = flat_rows(top)
    if as_json:
        print(msgspec.json.encode([asdict(row) for row in rows]).decode())
    else:
        print_table(_COLUMNS, [_cells(row) for row in rows])


def _cells(row: FlatRow) -> tuple[str, ...]:
    at_least = "≥ " if row.unfinished_count else ""
    return (
        SEPARATOR.join(map(units.name, row.path)),
        f"{row.count:,}",
        at_least + units.duration(row.total_ns),
        units.duration(row.self_ns),
        units.duration(row.mean_ns),
        *("" if ns is None else units.duration(ns) for ns in (row.p50_ns, row.p95_ns, row.p99_ns)),
        units.percent(row.share),
    )
