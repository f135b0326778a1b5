"""A login that the platform has just confirmed, refreshed where it was about to end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cirron.account import routes
from cirron.account.cli_config import CliConfig
from cirron.account.client import Client
from cirron.account.errors import AuthenticationInvalid, NotAuthenticated
from cirron.account.login import Login
from cirron.account.tokens import login_from
from cirron.config_file import Document, change
from cirron.errors import CirronError
from cirron.file_lock import locked
from cirron.settings import Secret

REFRESH_BEFORE = timedelta(minutes=5)


@dataclass(frozen=True)
class User:
    """Who a login belongs to, as far as the platform tells."""

    name: str | None = None
    email: str | None = None

    def __str__(self) -> str:
        if self.name and self.email:
            return f"{self.name} <{self.email}>"
        return self.name or self.email or "unknown"


@dataclass(frozen=True)
class Verified:
    """A login, and whose it is."""

    login: Login
    user: User


def signed_in(config: CliConfig, path: Path) -> str:
    """An access token that the platform has just confirmed; it may have been refreshed and stored for that.

    Args:
        config: where the platform is.
        path: the config file with the login.

    Raises:
        NotAuthenticated: nobody is logged in.
        AuthenticationInvalid: the platform refuses the login, and refreshing does not help.
        CirronError: the platform cannot be asked, or the config file not be used.

    Example:
        token = signed_in(CliConfig.load(), config_path())
    """
    return verified(Client(config), path).login.access_token


def verified(client: Client, path: Path) -> Verified:
    """As `signed_in`, with all that is known of the login."""
    login = Login.load(path)
    if login is None:
        raise NotAuthenticated
    refreshed_login = _refreshed_if_it_ends_soon(client, path, login)
    user = whose(client, refreshed_login)
    if user is None and refreshed_login is login and login.refresh_token:
        refreshed_login = refreshed(client, path, login)
        user = whose(client, refreshed_login)
    if user is None:
        raise AuthenticationInvalid
    return Verified(refreshed_login, user)


def whose(client: Client, login: Login) -> User | None:
    """The user of a login; None when the platform refuses it.

    A platform without this route leaves it to the next request to refuse.

    Raises:
        CirronError: the platform cannot be asked.
    """
    answer = client.whoami(login.access_token)
    if answer.is_refusal:
        return None
    if answer.status == 404:
        return User()
    if not answer.is_success:
        raise client.failure("verifying the login", routes.ME, answer.phrase)
    if answer.document is None:
        reason = "what answers there is no Cirron platform; see `cirron config --get apiUrl`"
        raise client.failure("verifying the login", routes.ME, reason)
    return User(_text(answer.document, "name"), _text(answer.document, "email"))


def refreshed(client: Client, path: Path, login: Login) -> Login:
    """A login with new tokens in place of one whose access token ends; the config file has it then.

    Refresh tokens may be good for one use only, so one process at a time does this, and the next one takes what
    the first one got.

    Raises:
        AuthenticationInvalid: the refresh token is refused.
        CirronError: the platform cannot be asked, or the config file not be written.
    """
    change(path, lambda document: None)  # so that a full disk shows before the only refresh token is spent
    with locked(path.with_name("login.lock"), client.timeout_s + 10):
        current = Login.load(path)
        if current is None:  # logged out meanwhile
            raise NotAuthenticated
        if current.access_token != login.access_token:
            return current
        if current.refresh_token is None:
            raise AuthenticationInvalid
        new = _ask_for_new(client, current.refresh_token)
        new = replace(new, refresh_token=new.refresh_token or current.refresh_token)
        change(path, lambda document: _replace_login(document, current, new))
        return new


def _refreshed_if_it_ends_soon(client: Client, path: Path, login: Login) -> Login:
    """The login, refreshed if need be; what fails here is for the verification to judge, by a better clock."""
    left = login.left()
    if left is None or left > REFRESH_BEFORE or login.refresh_token is None:
        return login
    try:
        return refreshed(client, path, login)
    except CirronError:
        return login


def _ask_for_new(client: Client, refresh_token: Secret) -> Login:
    answer = client.refresh(refresh_token)
    if answer.is_refusal or answer.status == 404 or answer.error == "invalid_grant":
        raise AuthenticationInvalid
    if not answer.is_success:
        raise client.failure("refreshing the login", routes.REFRESH, answer.phrase)
    try:
        return login_from(answer.document)
    except ValueError as error:
        raise client.failure("refreshing the login", routes.REFRESH, str(error)) from error


def _replace_login(document: Document, old: Login, new: Login) -> None:
    """Store the new login, unless the user has logged out or in again in the meantime."""
    auth = document.get("auth")
    if isinstance(auth, dict) and str(auth.get("accessToken")).strip() == old.access_token:
        new.store(document)


def _text(document: dict[str, Any], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) and value else None
