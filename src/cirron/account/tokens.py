"""A pair of tokens as the platform gives it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cirron.account.login import Login
from cirron.delivery.endpoint import checked_api_key
from cirron.settings import Secret


def login_from(document: dict[str, Any] | None) -> Login:
    """The login in an answer with the fields of RFC 6749.

    Raises:
        ValueError: there is no token in it that could be used.
    """
    if document is None:
        raise ValueError("the answer is no JSON object")
    access_token = _token(document, "access_token")
    if access_token is None:
        raise ValueError("the answer has no access_token")
    return Login(access_token, _token(document, "refresh_token"), _end(document.get("expires_in")))


def _token(document: dict[str, Any], name: str) -> Secret | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{name} in the answer is no text")  # noqa: TRY004 - callers expect one kind of error
    return Secret(checked_api_key(value))


def _end(lasts_s: Any) -> datetime | None:
    """When a token ends that lasts so long from now; None where the platform does not say."""
    try:
        return datetime.now(UTC) + timedelta(seconds=float(lasts_s))
    except (TypeError, ValueError, OverflowError):
        return None
