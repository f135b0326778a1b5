"""`cirron auth login`: by way of a browser, or with a token."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cirron.account import (
    API_URL_VARIABLE,
    CliConfig,
    Client,
    Login,
    User,
    checked_api_url,
    config_path,
    whose,
)
from cirron.account.device import begin, wait_for_confirmation
from cirron.account.login import has_login
from cirron.cli.browser import open_in_browser
from cirron.cli.messages import say
from cirron.config_file import Document, change
from cirron.delivery.endpoint import checked_api_key
from cirron.errors import CirronError
from cirron.settings import Secret
from cirron.tree import units


@click.command(
    "login",
    epilog="""Example:

    \b
    cirron auth login                             # shows a code to confirm in a browser
    cirron auth login --token - < token.txt       # from a file, so that no shell history has it
    cirron auth login --url https://cirron.example.com
    """,
)
@click.option(
    "--token", metavar="T", help="Log in with this token and no browser; - reads it from standard input."
)
@click.option(
    "--url", metavar="U", help="The platform's address, kept as apiUrl. [default: the configured one]"
)
@click.option("--no-browser", is_flag=True, help="Only print where to confirm the code.")
def login_command(token: str | None, url: str | None, no_browser: bool) -> None:
    """Log in to the platform, in place of any login before.

    Without a token, a code is shown that is to be confirmed in a browser, on this or any other machine. Nothing is
    kept unless the platform accepts the login.
    """
    path = config_path()
    checked_url = None if url is None else _checked_url(url)
    client = Client(CliConfig.load(path, api_url=checked_url))
    if token is None:
        change(path, lambda document: None)  # what cannot be written shows before a person goes to a browser
        login = _by_browser(client, no_browser)
        user = _user_if_told(client, login)
    else:
        login = Login(_given(token))
        user = _user(client, login)
    replaced = _store(path, login, checked_url)
    _report(client, user, replaced, checked_url)


def _checked_url(url: str) -> str:
    try:
        return checked_api_url(url)
    except ValueError as error:
        raise click.UsageError(f"--url {error}; accepted is a URL such as https://app.cirron.com") from error


def _given(token: str) -> Secret:
    text = token if token != "-" else _from_standard_input()
    try:
        return Secret(checked_api_key(text))
    except ValueError as error:
        raise click.UsageError(f"the token cannot be used: {error}") from error


def _from_standard_input() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True))
    return sys.stdin.readline()


def _user(client: Client, login: Login) -> User:
    user = whose(client, login)
    if user is None:
        raise CirronError(
            f"{client.url} does not accept this token; nothing was changed. Make another token there, or run "
            "`cirron auth login` without --token"
        )
    return user


def _user_if_told(client: Client, login: Login) -> User:
    """The user of a login that the platform has just given; nothing depends on it."""
    try:
        return whose(client, login) or User()
    except CirronError:
        return User()


def _by_browser(client: Client, no_browser: bool) -> Login:
    code = begin(client)
    say(f"Open {code.verification_uri} in a browser and confirm this code:")
    for line in ("", f"    {code.user_code}", ""):
        say(line)
    if not no_browser:
        open_in_browser(code.verification_uri_complete or code.verification_uri)
    say(f"Waiting for that, for at most {units.duration(code.lasts_s * 1e9)}; Ctrl-C gives up")
    return wait_for_confirmation(client, code)


def _store(path: Path, login: Login, url: str | None) -> bool:
    """Keep the login and its platform; whether there was another one."""
    replaced = False

    def edit(document: Document) -> None:
        nonlocal replaced
        replaced = has_login(document)
        login.store(document)
        if url is not None:
            document["apiUrl"] = url

    change(path, edit)
    return replaced


def _report(client: Client, user: User, replaced: bool, url: str | None) -> None:
    whom = f" as {user}" if user != User() else ""
    say(f"Success: Logged in to {client.url}{whom}")
    if replaced:
        say("The login from before is replaced")
    in_the_way = os.environ.get(API_URL_VARIABLE)
    if url is not None and in_the_way:
        say(f"Warning: {API_URL_VARIABLE} is set and goes before the address given here: unset it")
