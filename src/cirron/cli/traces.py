"""`cirron traces …`: look at what sessions recorded."""

from __future__ import annotations

import click

from cirron.cli.traces_list import list_command
from cirron.cli.traces_view import view_command


@click.group(
    epilog="""Example:

    \b
    cirron traces list
    cirron traces view --session 5b1f --name epoch
    """
)
def traces() -> None:
    """Look at recorded sessions. A session is one ci.profile() in one process."""


traces.add_command(list_command)
traces.add_command(view_command)
