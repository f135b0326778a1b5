"""`cirron traces list`: one line a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from cirron.cli.local_spool import open_sessions, short_ids, spool_option
from cirron.cli.messages import say
from cirron.spool import Session
from cirron.tree import units

_HEAD = ("session", "started", "duration", "ended", "spans", "marks", "snapshots", "size")
_LEFT = ("session", "started", "ended")


@click.command("list")
@spool_option
@click.option("--json", "as_json", is_flag=True, help="Print the sessions as JSON.")
def list_command(spool: Path, as_json: bool) -> None:
    """List the recorded sessions, the oldest first."""
    sessions = open_sessions(spool)
    if as_json:
        print(msgspec.json.encode([asdict(session) for session in sessions]).decode())
        return
    if not sessions:
        say(f"Nothing is recorded in {spool}")
        return
    ids = short_ids(sessions)
    _print_table([_row(name, session) for name, session in zip(ids, sessions, strict=True)])
    say(f"Look at one with `cirron traces view --session {ids[-1]}`")


def _row(name: str, session: Session) -> tuple[str, ...]:
    started = datetime.fromtimestamp(session.started_ns / 1e9, UTC)
    return (
        name,
        started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        units.duration(session.last_ns - session.started_ns),
        units.clean(session.ended),
        f"{session.spans:,}",
        f"{session.marks:,}",
        f"{session.snapshots:,}",
        units.size(session.size_bytes),
    )


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    for row in (_HEAD, *rows):
        cells = (
            cell.ljust(width) if head in _LEFT else cell.rjust(width)
            for head, cell, width in zip(_HEAD, row, widths, strict=True)
        )
        print("  ".join(cells).rstrip())
