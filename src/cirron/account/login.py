"""The login as the config file keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cirron.config_file import read_config_file
from cirron.delivery.endpoint import checked_api_key
from cirron.errors import CirronConfigError
from cirron.settings import Secret

MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138, as milliseconds 1973


@dataclass(frozen=True)
class Login:
    """Tokens of one user; neither shows in a `repr`.

    Attributes:
        access_token: goes with each request.
        refresh_token: gets another access token; None in a login by `--token`.
        expires_at: when the access token ends; None where nothing tells.
    """

    access_token: Secret
    refresh_token: Secret | None = None
    expires_at: datetime | None = None

    @classmethod
    def load(cls, path: Path) -> Login | None:
        """The login in a config file; None when nobody is logged in.

        Raises:
            CirronConfigError: the file or the login in it is damaged.
        """
        document = read_config_file(path)
        auth = document.get("auth")
        if auth is not None and not isinstance(auth, dict):
            raise _damaged(path, "auth", f"is of type {type(auth).__name__}, where an object is expected")
        if auth and auth.get("accessToken") is not None:
            return cls(
                _token(path, "auth.accessToken", auth["accessToken"]),
                _token(path, "auth.refreshToken", auth["refreshToken"]) if auth.get("refreshToken") else None,
                parsed_time(auth.get("expiresAt")),
            )
        token = document.get("token")
        return None if token is None else cls(_token(path, "token", token))

    def left(self) -> timedelta | None:
        """How long the access token lasts from now; None where nothing tells."""
        return None if self.expires_at is None else self.expires_at - datetime.now(UTC)

    def store(self, document: dict[str, Any]) -> None:
        """Put this login into the config file's document in place of any other."""
        if self.refresh_token is None and self.expires_at is None:
            document.pop("auth", None)
            document["token"] = str(self.access_token)
        else:
            document.pop("token", None)
            kept = document.get("auth")
            document["auth"] = (kept if isinstance(kept, dict) else {}) | self._as_auth()

    def _as_auth(self) -> dict[str, Any]:
        return {
            "accessToken": str(self.access_token),
            "refreshToken": None if self.refresh_token is None else str(self.refresh_token),
            "expiresAt": None if self.expires_at is None else iso(self.expires_at),
        }


def has_login(document: Mapping[str, Any]) -> bool:
    """Whether there is a login in a config file's document, be it damaged."""
    return "auth" in document or "token" in document


def remove_login(document: dict[str, Any]) -> None:
    """Take the login out of a config file's document."""
    document.pop("auth", None)
    document.pop("token", None)


def parsed_time(value: Any) -> datetime | None:
    """An instant given in ISO 8601, or in seconds or milliseconds since 1970; None where it is neither."""
    try:
        if isinstance(value, str) and not value.strip().isdecimal():
            time = datetime.fromisoformat(value.strip())
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
        if value is None or isinstance(value, bool):
            return None
        number = float(value)
        return datetime.fromtimestamp(number / 1000 if number >= MILLISECONDS_FROM else number, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def iso(time: datetime) -> str:
    """An instant as the config file has it: `2026-04-18T04:29:58Z`."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _token(path: Path, name: str, value: Any) -> Secret:
    if not isinstance(value, str):
        raise _damaged(path, name, f"is of type {type(value).__name__}, where text is expected")
    try:
        return Secret(checked_api_key(value))
    except ValueError as error:
        raise _damaged(path, name, f"cannot be used: {error}") from error


def _damaged(path: Path, name: str, fault: str) -> CirronConfigError:
    return CirronConfigError(f"{path}: {name} {fault}; run `cirron auth login` to replace it")
