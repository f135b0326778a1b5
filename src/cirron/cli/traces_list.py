"""`cirron traces list`: one line a session."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from itertools import compress
from pathlib import Path

import click
import msgspec

from cirron.cli.local_spool import open_sessions, short_ids, spool_option
from cirron.cli.messages import say
from cirron.cli.table import Column, print_table
from cirron.spool import Session, runs
from cirron.tree import units


def _shorter_process(process: str, cells: int) -> str:
    """Without the number of ranks; which one it is matters more."""
    return units.cut(re.sub(" of [0-9]+", "", process), cells)


def _shorter_ended(ended: str, cells: int) -> str:
    """Of an exception rather its name than that it is one."""
    return units.cut(ended.removeprefix("exception: "), cells)


_COLUMNS = (
    Column("session", is_left=True),
    Column("started", is_left=True, rank=1),
    Column("duration"),
    Column("ended", is_left=True, can_be_cut=True, cut=_shorter_ended),
    Column("process", is_left=True, can_be_cut=True, rank=2, least=16, cut=_shorter_process),
    Column("spans", rank=3),
    Column("marks", rank=4),
    Column("snapshots", rank=5),
    Column("size", rank=4),
)


@click.command(
    "list",
    short_help="List the recorded sessions.",
    epilog="""Example:

    \b
    cirron traces list
    cirron traces list --spool /mnt/runs/42 --json
    """,
)
@spool_option
@click.option("--json", "as_json", is_flag=True, help="Print the sessions as JSON.")
def list_command(spool: Path, as_json: bool) -> None:
    """List the recorded sessions, the oldest first; those that were killed or still go on are listed as such."""
    sessions = open_sessions(spool)
    if as_json:
        print(msgspec.json.encode([asdict(session) for session in sessions]).decode())
        return
    if not sessions:
        say(f"Nothing is recorded in {spool}")
        return
    ids = short_ids(sessions)
    _print(sessions, ids)
    newest = runs(sessions)[-1].ranks[0]
    say(f"Look at one with `cirron traces view --session {ids[sessions.index(newest)]}`")


def _print(sessions: Sequence[Session], ids: Sequence[str]) -> None:
    rows = [_row(name, session) for name, session in zip(ids, sessions, strict=True)]
    told = [any(row[position] for row in rows) for position in range(len(_COLUMNS))]  # most have one process
    print_table(list(compress(_COLUMNS, told)), [list(compress(row, told)) for row in rows])


def _row(name: str, session: Session) -> tuple[str, ...]:
    return (
        units.clean(name),
        units.instant(session.started_ns),
        units.duration(session.last_ns - session.started_ns),
        units.clean(session.ended),
        units.clean(_process(session)),
        f"{session.spans:,}",
        f"{session.marks:,}",
        f"{session.snapshots:,}",
        units.size(session.size_bytes),
    )


def _process(session: Session) -> str:
    """Which of several processes it was; nothing where there was one."""
    rank = f"rank {session.rank} of {session.world_size}" if session.world_size > 1 else ""
    worker = f"worker {session.worker}" if session.worker is not None else ""
    return ", ".join(part for part in (rank, worker) if part)
