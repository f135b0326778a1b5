"""`cirron auth …`: who the command line works for."""

from __future__ import annotations

import click

from cirron.cli.auth_login import login_command
from cirron.cli.auth_logout import logout_command
from cirron.cli.auth_refresh import refresh_command
from cirron.cli.auth_status import status_command


@click.group(
    epilog="""Example:

    \b
    cirron auth login
    cirron auth status
    """
)
def auth() -> None:
    """Log in to the platform, which only `cirron spool flush` needs.

    The login is kept in ~/.cirron/config.json, which nobody but you can read.
    """


for command in (login_command, logout_command, status_command, refresh_command):
    auth.add_command(command)
