"""`cirron traces snapshots`: one line a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from cirron.cli.candidates import complete_spans
from cirron.cli.local_spool import chosen, mention, seal_journals, session_option, spool_option
from cirron.cli.messages import say
from cirron.cli.table import Column, print_table
from cirron.snapshots import SpanPattern, Taken, list_snapshots, short_span_ids
from cirron.snapshots.facts import STATISTICS, shape_text, statistic, to_dict
from cirron.spool import Reader, read
from cirron.tree import units

_COLUMNS = (
    Column("span", is_left=True),
    Column("scope", is_left=True, can_be_cut=True),
    Column("tensor", is_left=True, can_be_cut=True),
    Column("shape", rank=1),
    Column("dtype", is_left=True, rank=5),
    Column("mode", is_left=True, rank=6),
    Column("mean"),
    Column("std", rank=2),
    Column("min", rank=3),
    Column("max", rank=3),
    Column("norm", rank=4),
    Column("time", is_left=True, rank=7),
)


@click.command(
    "snapshots",
    short_help="List the snapshots of tensors.",
    epilog="""Example:

    \b
    cirron traces snapshots                  # those of the newest run
    cirron traces snapshots 446a507b..1f3    # those taken in one span
    """,
)
@click.argument("span", required=False, shell_complete=complete_spans)
@session_option
@spool_option
@click.option("--json", "as_json", is_flag=True, help="Print the snapshots as JSON.")
def snapshots_command(span: str | None, session: str | None, spool: Path, as_json: bool) -> None:
    """List the snapshots of tensors, in the order they were taken.

    SPAN is how the id of a span begins, or its beginning and its end with two dots between them, as listed.
    """
    reader, place = _reader(span, session, spool)
    taken = list_snapshots(reader, None if span is None else SpanPattern.parse(span))
    mention(reader)
    if as_json:
        print(msgspec.json.encode([to_dict(each) for each in taken]).decode())
    elif taken:
        _print(taken)
    else:
        say(f"No snapshots in {place}; `cirron traces list` has how many each session took")


def _reader(span: str | None, session: str | None, spool: Path) -> tuple[Reader, str]:
    """What to read, and how to call it: a span is looked for in all sessions, unless one is named."""
    if span is not None and session is None:
        seal_journals(spool)
        return read(spool), f"a span '{span}' in {spool}"
    choice = chosen(spool, session)
    place = f"session {choice.name}" if span is None else f"a span '{span}' of session {choice.name}"
    return choice.reader, place


def _print(taken: Sequence[Taken]) -> None:
    ids = short_span_ids(each.snapshot.span_id for each in taken)
    left_out = print_table(_COLUMNS, [_row(each, ids[each.snapshot.span_id]) for each in taken])
    if left_out:
        say(f"No room for {', '.join(left_out)}: widen the terminal, or send the table through a pipe")
    say(f"Look closer with `cirron traces snapshot {ids[taken[-1].snapshot.span_id]}`")


def _row(taken: Taken, short_id: str) -> tuple[str, ...]:
    snapshot = taken.snapshot
    return (
        units.clean(short_id),
        units.clean(taken.scope),
        units.clean(snapshot.tensor_name),
        shape_text(snapshot.shape),
        units.clean(snapshot.dtype),
        snapshot.mode,
        *(statistic(snapshot, name) for name in STATISTICS),
        units.instant(snapshot.ts_ns),
    )
