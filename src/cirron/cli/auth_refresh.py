"""`cirron auth refresh`: a new access token before it is needed."""

from __future__ import annotations

import click

from cirron.account import CliConfig, Client, Login, NotAuthenticated, config_path, refreshed
from cirron.cli.expiry import expiry
from cirron.cli.messages import say
from cirron.errors import CirronError


@click.command(
    "refresh",
    epilog="""Example:

    \b
    cirron auth refresh
    """,
)
def refresh_command() -> None:
    """Get a new access token now. Commands that need the login do this by themselves shortly before it ends."""
    path = config_path()
    login = Login.load(path)
    if login is None:
        raise NotAuthenticated
    if login.refresh_token is None:
        raise CirronError("a login by --token cannot be refreshed: run `cirron auth login` for another one")
    new = refreshed(Client(CliConfig.load(path)), path, login)
    say(f"Success: The login is refreshed; it {expiry(new)}")
