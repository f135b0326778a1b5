"""`cirron auth status`: who is logged in, where, and for how long."""

from __future__ import annotations

from datetime import timedelta

import click

from cirron.account import (
    AuthenticationInvalid,
    CliConfig,
    Client,
    Login,
    NotAuthenticated,
    config_path,
    verified,
)
from cirron.cli.expiry import expiry
from cirron.cli.messages import say
from cirron.errors import CirronError
from cirron.tree import units

WARN_BEFORE = timedelta(days=7)


@click.command(
    "status",
    short_help="Show who is logged in, where, and for how long.",
    epilog="""Example:

    \b
    cirron auth status && cirron spool flush
    """,
)
def status_command() -> None:
    """Show who is logged in, where, and for how long; ask the platform whether the login is good.

    A login that is about to end is refreshed. The exit code is 0 when the platform accepts the login, else 1.
    """
    path = config_path()
    client = Client(CliConfig.load(path))
    login = Login.load(path)
    try:
        found = verified(client, path)
    except (NotAuthenticated, AuthenticationInvalid):
        raise
    except CirronError:  # offline, what is known here is worth showing before the error
        _show("not verified", client, login)
        raise
    _show(str(found.user), client, found.login)
    _warn(found.login)


def _show(user: str, client: Client, login: Login | None) -> None:
    print(f"User:     {units.clean(user)}")
    print(f"API URL:  {units.clean(client.url)}")
    if login is not None:
        print(f"Login:    {expiry(login)}")


def _warn(login: Login) -> None:
    """Say when a login ends for which there is no other; with a refresh token the commands get one themselves."""
    left = login.left()
    if left is not None and left <= WARN_BEFORE and login.refresh_token is None:
        say(f"Warning: the login {expiry(login)}: run `cirron auth login`")
