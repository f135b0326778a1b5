"""`cirron memory …`: where the memory went."""

from __future__ import annotations

import click

from cirron.cli.memory_report import report_command
from cirron.cli.memory_watch import watch_command


@click.group(
    short_help="See where the memory of a run went.",
    epilog="""Example:

    \b
    python train.py         # a program with ci.profile() and a stormlog.MemoryTracker in it
    cirron memory report    # which phase kept memory, and what was needed at most
    cirron memory watch -- python any.py
    """,
)
def memory() -> None:
    """See where the memory of a run went, from what a MemoryTracker recorded."""


memory.add_command(report_command)
memory.add_command(watch_command)
