"""The table behind `cirron traces view --flat`."""

from __future__ import annotations

from dataclasses import asdict

import msgspec

from cirron.cli.table import Column, print_table
from cirron.tree import Scope, units
from cirron.tree.flat import FlatRow, flat_rows

_COLUMNS = (
    Column("scope", is_left=True, can_be_cut=True),
    Column("count"),
    Column("total"),
    Column("self"),
    Column("mean"),
    Column("p50", rank=2),
    Column("p95", rank=1),
    Column("p99", rank=2),
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
        units.clean(row.name),
        f"{row.count:,}",
        at_least + units.duration(row.total_ns),
        units.duration(row.self_ns),
        units.duration(row.mean_ns),
        *(units.duration(wall_ns) for wall_ns in (row.p50_ns, row.p95_ns, row.p99_ns)),
        units.percent(row.share),
    )
