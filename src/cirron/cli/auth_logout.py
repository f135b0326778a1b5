"""`cirron auth logout`: forget the login."""

from __future__ import annotations

import click

from cirron.account import config_path
from cirron.account.login import has_login, remove_login
from cirron.cli.messages import say
from cirron.config_file import change, read_config_file


@click.command(
    "logout",
    epilog="""Example:

    \b
    cirron auth logout
    """,
)
def logout_command() -> None:
    """Remove the login from this machine; the other settings stay."""
    path = config_path()
    if not has_login(read_config_file(path)):
        say("Nobody is logged in")
        return
    change(path, remove_login)
    say("Success: Logged out")
