"""`cirron config`: the settings of the command line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from cirron.account import (
    API_URL_VARIABLE,
    KEYS,
    CliConfig,
    checked_api_url,
    checked_value,
    checked_variable,
    config_path,
    parsed_value,
)
from cirron.account.login import has_login
from cirron.cli.messages import say
from cirron.config_file import Document, change, read_config_file
from cirron.errors import CirronError
from cirron.tree import units

_SECRET = re.compile("auth|bearer|cred|key|passw|pat$|secret|token", re.IGNORECASE)
_PUBLIC = "expiresAt"  # of a login
_SHOWN_FROM = 16  # characters, from which on the last four of a secret give nothing away


@click.command(
    epilog="""Example:

    \b
    cirron config --list
    cirron config --set timeout=60000
    cirron config --get apiUrl
    """
)
@click.option("--list", "lists", is_flag=True, help="Print all settings, and where each comes from.")
@click.option("--get", "key", metavar="K", help="Print one setting.")
@click.option("--set", "assignments", multiple=True, metavar="K=V", help="Change a setting; may be repeated.")
@click.option("--reset", "resets", is_flag=True, help="Put the four settings back to their defaults.")
def config(lists: bool, key: str | None, assignments: tuple[str, ...], resets: bool) -> None:
    """See or change the settings in ~/.cirron/config.json.

    \b
    apiUrl      the platform's address                   https://app.cirron.com
    timeout     of one request, in ms, 1000 to 300000    30000
    retries     of one upload, 0 to 10                   3
    defaultEnv  development, staging or production       development

    The environment variable CIRRON_API_ENDPOINT goes before apiUrl. Tokens are never shown in full.
    """  # noqa: D301 - the backspace keeps click from filling the lines
    if sum([lists, key is not None, bool(assignments), resets]) != 1:
        raise click.UsageError("give one of --list, --get, --set and --reset")
    path = config_path()
    if assignments:
        _set(path, assignments)
    elif resets:
        _reset(path)
    elif key is not None:
        _get(path, key)
    else:
        _list(path)


# ---- showing ----


_FROM_ENVIRON = f"from {API_URL_VARIABLE}"


class _Setting(NamedTuple):
    name: str
    value: Any
    origin: str


def _list(path: Path) -> None:
    settings = list(_settings(read_config_file(path), os.environ))
    rows = [(units.clean(setting.name), _shown(setting), setting.origin) for setting in settings]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, value, origin in rows:
        print(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}")
    _warn_of_wrong_values(path, settings)


def _get(path: Path, name: str) -> None:
    settings = {setting.name: setting for setting in _settings(read_config_file(path), os.environ)}
    if name not in settings:
        raise click.UsageError(
            f"there is no setting '{units.clean(name)}'; there are {', '.join(map(units.clean, settings))}"
        )
    if name in KEYS:
        CliConfig.load(path)  # a value that cannot be used is an error wherever it is asked for
    print(_shown(settings[name]))


def _settings(document: Document, environ: Mapping[str, str]) -> Iterator[_Setting]:
    """The four settings, then whatever else is in the file."""
    for name, key in KEYS.items():
        if name == "apiUrl" and environ.get(API_URL_VARIABLE):
            yield _Setting(name, environ[API_URL_VARIABLE], _FROM_ENVIRON)
        elif name in document:
            yield _Setting(name, document[name], "from the file")
        else:
            yield _Setting(name, key.default, "by default")
    for name, value in document.items():
        if name not in KEYS:
            yield _Setting(name, value, "from the file")


def _shown(setting: _Setting) -> str:
    if setting.name == "apiUrl" and not _is_api_url(setting.value):
        return "(cannot be used)"  # what is wrong with it may be a password in it
    value = _masked(setting.name, setting.value)
    return units.clean(value if isinstance(value, str) else json.dumps(value))


def _is_api_url(value: Any) -> bool:
    try:
        checked_api_url(value)
    except ValueError:
        return False
    return True


def _masked(name: str, value: Any, *, below_secret: bool = False) -> Any:
    """The value with every secret in it replaced; all that lies below the name of a secret is one."""
    is_secret = name != _PUBLIC and (below_secret or _SECRET.search(name) is not None)
    if isinstance(value, dict):
        return {key: _masked(key, each, below_secret=is_secret) for key, each in value.items()}
    if isinstance(value, list):
        return [_masked(name, each, below_secret=is_secret) for each in value]
    if value is None or not is_secret:
        return value
    text = str(value)
    return "****" + (text[-4:] if len(text) >= _SHOWN_FROM else "")


def _warn_of_wrong_values(path: Path, settings: list[_Setting]) -> None:
    for setting in settings:
        try:
            if setting.origin == _FROM_ENVIRON:
                checked_variable(setting.value)
            elif setting.name in KEYS:
                checked_value(path, setting.name, setting.value)
        except CirronError as error:
            say(f"Warning: {error}")


# ---- changing ----


def _set(path: Path, assignments: tuple[str, ...]) -> None:
    values = dict(_parsed(assignment) for assignment in assignments)
    change(path, lambda document: document.update(values))
    for name, value in values.items():
        say(f"Success: {name} is now {value}")
    if "apiUrl" in values and os.environ.get(API_URL_VARIABLE):
        say(f"Warning: {API_URL_VARIABLE} is set and goes before apiUrl")


def _parsed(assignment: str) -> tuple[str, Any]:
    name, equals, text = assignment.partition("=")
    if not equals or name not in KEYS:
        fault = f"there is no setting '{units.clean(name)}' to change" if equals else "--set takes K=V"
        raise click.UsageError(f"{fault}; the settings are {', '.join(KEYS)}")
    try:
        return name, parsed_value(name, text)
    except ValueError as error:
        raise click.UsageError(units.clean(str(error))) from error


def _reset(path: Path) -> None:
    kept = change(path, _remove_settings)
    say("Success: apiUrl, timeout, retries and defaultEnv have their defaults again")
    if has_login(kept):
        say("The login is kept; `cirron auth logout` removes it")


def _remove_settings(document: Document) -> None:
    for name in KEYS:
        document.pop(name, None)
