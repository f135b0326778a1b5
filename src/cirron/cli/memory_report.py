"""`cirron memory report`: which phase kept memory, what was needed at most, and what cannot be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from cirron.cli.local_spool import mention_problems, seal_journals
from cirron.cli.messages import say
from cirron.cli.table import Column, print_line, print_table
from cirron.tree import units

if TYPE_CHECKING:
    from cirron.spool.telemetry_event import TelemetryEvent
    from stormlog.analysis import Finding, PhaseRow, Report

DEFAULT = Path(".cirron")
MOST_NAMED = 3

_COLUMNS = (
    Column("phase", is_left=True, can_be_cut=True, least=16),
    Column("times"),
    Column("growth"),
    Column("peak"),
    Column("at its last end", rank=1),
)


@click.command(
    "report",
    short_help="Tell which phases kept memory.",
    epilog="""Example:

    \b
    cirron memory report
    cirron memory report --dir runs/42 --json | jq .findings
    cirron memory report --plot memory.svg       # or memory.png, with matplotlib
    """,
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=DEFAULT,
    metavar="PATH",
    help="A spool, a .cirron folder or one that holds it. [default: ./.cirron]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw the memory of the newest session over time, with its phases: as SVG, or as PNG where the name ends so.",
)
def report_command(directory: Path, as_json: bool, plot: Path | None) -> None:
    """Tell which phases kept memory at each repetition, which needed much within only, and what cannot be told.

    Reads what a stormlog.MemoryTracker recorded while ci.profile() was active, of all sessions in the spool. Each
    finding has its numbers; a phase with few repetitions gets none.
    """
    from stormlog.analysis import analyze
    from stormlog.telemetry import spooled_events

    seal_journals(directory)
    events, problems, lost_count = spooled_events(directory)
    mention_problems(problems)
    if lost_count:
        lost = units.counted(lost_count, "reading")
        say(f"Warning: {lost} could not be kept, so this is not all; ci.health() says why")
    report = analyze(events)
    if as_json:
        print(msgspec.json.encode(report).decode())
    elif not events:
        say(f"No memory is recorded in {directory}: use stormlog.MemoryTracker while ci.profile() is active")
    else:
        print_report(report)
    if plot is not None and events:
        _draw(events, plot)


def _draw(events: Sequence[TelemetryEvent], path: Path) -> None:
    from stormlog.course import courses
    from stormlog.plot import draw

    newest = [event for event in events if event.session_id == events[-1].session_id]
    found = [course for course in courses(newest) if course.rank == events[-1].rank]
    if not found:
        say("No picture was drawn: no event tells of any memory")
        return
    draw(found[0], path)
    say(f"Wrote {path}")


def print_report(report: Report) -> None:
    """Print the phases of each session, then what was found, then what could not be told."""
    for (session_id, rank), rows in groupby(report.phases, key=lambda row: (row.session_id, row.rank)):
        print_line(f"Tracking session {units.clean(session_id[:8])}, rank {rank}")
        print_table(_COLUMNS, [_cells(row) for row in rows])
        print_line("")
    for line in _lines(report):
        print_line(line)


def _cells(row: PhaseRow) -> Sequence[str]:
    return (
        "  " * (len(row.path) - 1) + units.clean(row.path[-1]),
        f"{row.count:,}",
        _signed(row.growth_bytes),
        _size(row.peak_bytes),
        _size(row.last_exit_bytes),
    )


def _size(count_bytes: int | None) -> str:
    return "" if count_bytes is None else units.size(count_bytes)


def _signed(count_bytes: int | None) -> str:
    return "" if count_bytes is None else ("-" if count_bytes < 0 else "+") + units.size(abs(count_bytes))


def _lines(report: Report) -> Iterator[str]:
    if not report.findings:
        yield "Nothing was found that keeps memory or needs much of it for a while."
    for finding in report.findings:
        yield f"{_NAMES[finding.kind]}: {units.clean(finding.says)}"
        yield f"    {_evidence(finding)}"
    for (kind, reason), names in _not_told(report).items():
        yield f"not told: {_NAMES[kind]}{_of(names)}: {units.clean(reason)}"


_NAMES = {
    "growth": "growth",
    "transient_peak": "transient peak",
    "fragmentation": "fragmentation",
    "outside_allocator": "memory outside of the allocator",
}


def _not_told(report: Report) -> dict[tuple[str, str], list[str]]:
    """The phases of which the same cannot be told for the same reason."""
    names: dict[tuple[str, str], list[str]] = {}
    for abstention in report.abstentions:
        of_reason = names.setdefault((abstention.kind, abstention.reason), [])
        if abstention.path:
            of_reason.append(units.clean(" / ".join(abstention.path)))
    return names


def _of(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {units.counted(len(names) - MOST_NAMED, 'other')}" if len(names) > MOST_NAMED else ""
    return f" of {', '.join(names[:MOST_NAMED])}{more}"


def _evidence(finding: Finding) -> str:
    """The numbers behind a finding, sizes in the units of people."""
    return ", ".join(
        f"{name.replace('_bytes', '').replace('_', ' ')} {_number(name, value)}"
        for name, value in finding.evidence.items()
        if value not in (None, [], "") and not name.endswith("_ns")
    )


def _number(name: str, value: object) -> str:
    if isinstance(value, list):
        return " / ".join(_number(name, each) for each in value)
    if "_bytes" in name and isinstance(value, int):
        return _signed(value) if value < 0 else units.size(value)
    return units.clean(str(value))
