"""`cirron traces …`: look at what sessions recorded."""

from __future__ import annotations

import click

from cirron.cli.traces_clear import clear_command
from cirron.cli.traces_diff import diff_command
from cirron.cli.traces_export import export_command
from cirron.cli.traces_list import list_command
from cirron.cli.traces_snapshot import snapshot_command
from cirron.cli.traces_snapshots import snapshots_command
from cirron.cli.traces_view import view_command


@click.group(
    epilog="""Example:

    \b
    cirron traces list
    cirron traces view
    cirron traces export --format perfetto
    """
)
def traces() -> None:
    """Look at recorded sessions. A session is one ci.profile() in one process."""


for command in (
    list_command,
    view_command,
    diff_command,
    export_command,
    snapshots_command,
    snapshot_command,
    clear_command,
):
    traces.add_command(command)
