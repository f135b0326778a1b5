"""`cirron status`: everything at a glance."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import click

from cirron._version import __version__
from cirron.account import CliConfig, Client, Login, config_path
from cirron.account.login import iso
from cirron.cli.expiry import expiry
from cirron.cli.local_spool import seal_journals, spool_option
from cirron.cli.spool_folder import size_text
from cirron.errors import CirronError
from cirron.spool import list_files
from cirron.spool.files import find_spool
from cirron.spool.newest import newest_session
from cirron.tree import units

API_WAIT_MS = 3000


class _Part(NamedTuple):
    """One line of the report, and the same for a program."""

    text: str
    document: dict[str, Any] | None


@click.command(
    short_help="Show login, platform, spool and newest session.",
    epilog="""Example:

    \b
    cirron status
    cirron status --json | jq .api.reachable
    """,
)
@spool_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def status(spool: Path, as_json: bool) -> None:
    """Show the login, whether the platform can be reached, what waits in the spool, and the newest session.

    Takes a few seconds at most, and needs neither a login nor a network nor a spool.
    """
    parts = {
        "login": _part(_login),
        "api": _part(_api),
        "spool": _part(lambda: _spool(spool)),
        "session": _part(lambda: _session(spool)),
    }
    if as_json:
        documents = {name: part.document for name, part in parts.items()}
        print(json.dumps({"sdkVersion": __version__, **documents}, indent=2))
        return
    print(f"{'version':<9}{__version__}")
    for name, part in parts.items():
        print(f"{name:<9}{units.clean(part.text)}")


def _part(tell: Callable[[], _Part]) -> _Part:
    """What there is to say; whatever is wrong with one part, the others are still told."""
    try:
        return tell()
    except (CirronError, OSError) as error:
        return _Part(str(error), {"error": str(error)})


def _login() -> _Part:
    login = Login.load(config_path())
    if login is None:
        return _Part("nobody is logged in: run `cirron auth login`", {"loggedIn": False, "expiresAt": None})
    end = None if login.expires_at is None else iso(login.expires_at)
    return _Part(f"logged in; the login {expiry(login)}", {"loggedIn": True, "expiresAt": end})


def _api() -> _Part:
    config = CliConfig.load()
    client = Client(replace(config, timeout_ms=min(config.timeout_ms, API_WAIT_MS)))
    try:
        reachable, finding = _asked(client)
    except CirronError as error:
        return _Part(str(error), {"url": client.url, "reachable": False, "finding": str(error)})
    return _Part(f"{client.url} {finding}", {"url": client.url, "reachable": reachable, "finding": finding})


def _asked(client: Client) -> tuple[bool, str]:
    """Whether the platform is there, and how it answers."""
    answer = client.health()
    if answer.is_success or answer.status == 404:  # a platform without this route is one that answers
        return True, "is reachable"
    return False, f"answers {answer.phrase}"


def _spool(spool: Path) -> _Part:
    if not spool.exists():
        return _Part(f"no spool at {spool.absolute()}", None)
    seal_journals(spool)
    files = list_files(spool)
    path, size_bytes = find_spool(spool).absolute(), sum(file.size_bytes for file in files)
    return _Part(
        f"{path}: {units.counted(len(files), 'file')}, {size_text(size_bytes)}",
        {"dir": str(path), "files": len(files), "totalBytes": size_bytes},
    )


def _session(spool: Path) -> _Part:
    session = newest_session(spool) if spool.exists() else None
    if session is None:
        return _Part("none in the spool", None)
    document = {"id": session.id, "started": units.instant(session.started_ns), "ended": session.ended}
    return _Part(f"{session.id[:8]}, started {document['started']}, {session.ended}", document)
