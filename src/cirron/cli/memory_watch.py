"""`cirron memory watch -- COMMAND`: how much memory a program and its children take while it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from cirron.cli.memory_report import print_report
from cirron.cli.messages import say
from cirron.cli.table import print_line
from cirron.tree import units

if TYPE_CHECKING:
    from stormlog.analysis import Report
    from stormlog.watching import Watched

DEFAULT_MS = 200
MOST_NAMED = 5


@click.command(
    "watch",
    short_help="Run a command and watch its memory.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""Example:

    \b
    cirron memory watch -- python train.py --epochs 3
    cirron memory watch --json -- ./train.sh
    """,
)
@click.option(
    "--interval-ms",
    type=click.IntRange(10, 60_000),
    default=DEFAULT_MS,
    show_default=True,
    metavar="MS",
    help="From one reading to the next.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the outcome as JSON, after what the command prints."
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def watch_command(interval_ms: int, as_json: bool, command: tuple[str, ...]) -> int:
    """Run a command, watch the memory of it and its children, and tell the most they took and whether that kept rising.

    Where the command records phases into ./.cirron, what is to be said of these follows. The exit code is the command's
    own; 128 and the signal's number where one ended it.
    """
    from stormlog.watching import NOT_EXECUTABLE, NOT_FOUND, watch

    began_ns = time.time_ns()
    try:
        watched = watch(command, interval_ms)
    except OSError as error:
        say(f"Error: {command[0]}: {error.strerror}")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    report = _report(watched, began_ns)
    if as_json:
        print(msgspec.json.encode(_document(watched, report)).decode())
    else:
        for line in _lines(watched):
            print_line(line)
        if report is not None:
            print_report(report)
    return watched.exit_code


def _report(watched: Watched, began_ns: int) -> Report | None:
    """On the phases that the command recorded; None where it recorded none."""
    from cirron.spool import seal_dead_journals
    from stormlog.analysis import analyze
    from stormlog.telemetry import spooled_events

    spool = Path(".cirron")
    if not spool.is_dir():
        return None
    seal_dead_journals(spool)
    events = [event for event in spooled_events(spool).events if event.timestamp_ns >= began_ns]
    events = [event for event in events if event.pid in watched.processes]
    return analyze(events) if events else None


def _document(watched: Watched, report: Report | None) -> dict[str, object]:
    from stormlog.analysis.process_growth import process_growth

    return {
        "exit_code": watched.exit_code,
        "peak": max(watched.samples, key=lambda sample: sample.resident_bytes, default=None),
        "growth": process_growth(watched.samples),
        "processes": list(watched.processes.values()),
        "samples": watched.samples,
        "report": report,
    }


def _lines(watched: Watched) -> Iterator[str]:
    from stormlog.analysis.process_growth import process_growth

    if not watched.samples:
        yield "The command ended before its memory was read."
        return
    peak = max(watched.samples, key=lambda sample: sample.resident_bytes)
    yield (
        f"At most {units.size(peak.resident_bytes)}, {peak.at_s:.1f} s after the start, "
        f"in {peak.processes} {'process' if peak.processes == 1 else 'processes'}; "
        f"{units.counted(len(watched.samples), 'reading')}"
    )
    if len(watched.processes) > 1:
        largest = sorted(watched.processes.values(), key=lambda process: -process.peak_bytes)
        for process in largest[:MOST_NAMED]:
            yield f"    {units.clean(process.name)} ({process.pid}): at most {units.size(process.peak_bytes)}"
    if (growth := process_growth(watched.samples)) is not None:
        yield (
            f"growth: it rose by {units.size(growth.bytes_per_s)} a second until the end, "
            f"{units.size(growth.rise_bytes)} in all over {growth.samples} readings"
        )
