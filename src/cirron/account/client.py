"""Asks the platform about logins: one request at a time, each within the configured time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

from cirron._version import __version__
from cirron.account import routes
from cirron.account.bounded import within
from cirron.account.cli_config import CliConfig
from cirron.delivery.answer import readable
from cirron.delivery.endpoint import is_plain_http
from cirron.errors import CirronError
from cirron.settings import Secret

ANSWER_MAX_BYTES = 64 * 1024
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_ERROR_NAME = re.compile("[a-z_]{1,40}")


class Answer(NamedTuple):
    """What came back.

    Attributes:
        status: the HTTP status.
        document: the JSON object in the body; None where there is none.
    """

    status: int
    document: dict[str, Any] | None

    @property
    def is_success(self) -> bool:
        """Whether the platform did what it was asked."""
        return 200 <= self.status < 300

    @property
    def is_refusal(self) -> bool:
        """Whether the token is not, or no longer, accepted."""
        return self.status in (401, 403)

    @property
    def error(self) -> str:
        """What the platform calls the error, such as `access_denied`; empty where it does not."""
        name = str((self.document or {}).get("error", ""))
        return name if _ERROR_NAME.fullmatch(name) else ""

    @property
    def phrase(self) -> str:
        """The status in words, and why a redirect is an error."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = ""
        reason = ", a redirect, which is not followed as the login is for this host only"
        return f"{self.status} {phrase}".strip() + (reason if 300 <= self.status < 400 else "")


class Client:
    """The platform's routes for logins.

    Args:
        config: where the platform is, and how long a request may take.

    Attributes:
        url: the platform's address.
        timeout_s: how long a request may take.

    Each method raises `CirronError`, with the address and the cause, when there is no answer.

    Example:
        answer = Client(CliConfig.load()).whoami(token)
    """

    def __init__(self, config: CliConfig) -> None:
        self.url = config.api_url
        self.timeout_s = config.timeout_s

    def device_code(self) -> Answer:
        """Begin a login by way of a browser."""
        return self._post("logging in", routes.DEVICE_CODE, {"client_id": routes.CLIENT_ID})

    def device_token(self, device_code: str) -> Answer:
        """Ask whether that login is confirmed."""
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        body = {"grant_type": grant, "device_code": device_code, "client_id": routes.CLIENT_ID}
        return self._post("logging in", routes.DEVICE_TOKEN, body, device_code)

    def refresh(self, refresh_token: Secret) -> Answer:
        """Ask for another access token."""
        body = {
            "grant_type": "refresh_token",
            "refresh_token": str(refresh_token),
            "client_id": routes.CLIENT_ID,
        }
        return self._post("refreshing the login", routes.REFRESH, body, refresh_token)

    def whoami(self, access_token: Secret) -> Answer:
        """Ask who the token belongs to."""
        headers = {"Authorization": f"Bearer {access_token}"}
        return self._ask("verifying the login", "GET", routes.ME, headers, secret=access_token)

    def health(self) -> Answer:
        """Ask whether anybody is there."""
        return self._ask("asking the platform", "GET", routes.HEALTH, {})

    def failure(self, doing: str, route: str, reason: str) -> CirronError:
        """The error to raise when a request came to nothing."""
        return CirronError(f"Network error {doing} at {self.url}{route}: {reason}")

    def _post(self, doing: str, route: str, body: dict[str, str], secret: str = "") -> Answer:
        return self._ask(doing, "POST", route, {}, body, secret)

    def _ask(
        self,
        doing: str,
        method: str,
        route: str,
        headers: dict[str, str],
        body: dict[str, str] | None = None,
        secret: str = "",
    ) -> Answer:
        try:
            return within(self.timeout_s, lambda: self._exchange(method, route, headers, body))
        except Exception as error:  # the network and three libraries may raise anything
            raise self.failure(doing, route, readable(_said(error, secret))) from error

    def _exchange(
        self, method: str, route: str, headers: dict[str, str], body: dict[str, str] | None
    ) -> Answer:
        import httpx

        with (
            httpx.Client(
                headers={"User-Agent": f"cirron-cli/{__version__}", "Accept-Encoding": "identity", **headers},
                timeout=self.timeout_s + 1,  # `within` ends it, with the same words at whatever step it was
                # Plain http is for this machine; through a proxy a token would leave it unencrypted.
                trust_env=not is_plain_http(self.url),
            ) as client,
            client.stream(method, self.url + route, json=body) as answer,
        ):
            return Answer(answer.status_code, _decoded(_limited(answer.iter_raw())))


def _said(error: Exception, secret: str) -> str:
    """An error's own words, without the number that the system has for it.

    Among them may be what the server said, and that may be what it was sent.
    """
    words = _ERRNO.sub("", str(error)) or type(error).__name__
    return words.replace(secret, "***") if secret else words


def _limited(pieces: Iterator[bytes]) -> bytes:
    """The answer's body; nothing of one that is too long to be one of ours."""
    body = b""
    for piece in pieces:
        body += piece
        if len(body) > ANSWER_MAX_BYTES:
            return b""
    return body


def _decoded(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
