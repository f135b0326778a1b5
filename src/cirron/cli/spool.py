"""`cirron spool …`: the batches that wait on this machine."""

from __future__ import annotations

import click

from cirron.cli.spool_clear import clear_command
from cirron.cli.spool_flush import flush_command
from cirron.cli.spool_inspect import inspect_command


@click.group(
    short_help="See, send or delete what waits on this machine.",
    epilog="""Example:

    \b
    cirron spool inspect      # what is there
    cirron spool flush        # send it
    cirron spool clear        # or delete it
    """,
)
def spool() -> None:
    """See, send or delete the batches that sessions left on this machine."""


spool.add_command(inspect_command)
spool.add_command(flush_command)
spool.add_command(clear_command)
