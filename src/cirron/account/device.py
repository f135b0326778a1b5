"""Logs in by way of a browser: the device authorization grant, RFC 8628."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from cirron.account import routes
from cirron.account.client import Answer, Client
from cirron.account.login import Login
from cirron.account.tokens import login_from
from cirron.errors import CirronError

DEFAULT_INTERVAL_S = 5.0
LEAST_INTERVAL_S = 0.05  # whatever the platform says, it is not asked without a pause
SLOWER_S = 5.0
LONGEST_S = 3600.0

_Code: TypeAlias = Annotated[str, Meta(max_length=100)]  # for a person to type
_Uri: TypeAlias = Annotated[str, Meta(max_length=2000)]


class DeviceCode(msgspec.Struct, frozen=True):
    """What the user confirms, where, and for how long that is possible."""

    device_code: str
    user_code: _Code
    verification_uri: _Uri
    verification_uri_complete: _Uri | None = None
    expires_in: Annotated[float, Meta(gt=0)] = 900.0
    interval: Annotated[float, Meta(ge=0)] = DEFAULT_INTERVAL_S

    @property
    def lasts_s(self) -> float:
        """For how long it is worth waiting."""
        return min(self.expires_in, LONGEST_S)

    def __repr__(self) -> str:
        return f"DeviceCode(user_code={self.user_code!r})"  # the other one is as good as a password


def begin(client: Client) -> DeviceCode:
    """A code that the user is to confirm in a browser.

    Raises:
        CirronError: the platform cannot be asked, or has no such way to log in.
    """
    answer = client.device_code()
    if answer.status == 404:
        raise CirronError(
            f"{client.url} has no login by way of a browser (404): make a token there, and run "
            "`cirron auth login --token -`"
        )
    if not answer.is_success:
        raise client.failure("logging in", routes.DEVICE_CODE, answer.phrase)
    try:
        return msgspec.convert(answer.document, DeviceCode)
    except msgspec.ValidationError as error:
        raise client.failure(
            "logging in", routes.DEVICE_CODE, f"the answer is no device code: {error}"
        ) from error


def wait_for_confirmation(
    client: Client,
    code: DeviceCode,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Login:
    """The login, once the user has confirmed the code.

    A platform that cannot be reached for a while, or asks for fewer questions, is asked less often.

    Args:
        client: asks the platform.
        code: as `begin` gave it.
        wait: lets seconds pass.
        clock: seconds on a clock that is never set.

    Raises:
        CirronError: the user has declined, the code has expired, or the platform refuses for another reason.
    """
    interval_s = max(code.interval, LEAST_INTERVAL_S)
    deadline_s = clock() + code.lasts_s
    while (left_s := deadline_s - clock()) > 0:
        wait(min(interval_s, left_s))
        answer = _poll(client, code)
        if answer is not None and answer.is_success:
            return _login_in(client, answer)
        interval_s += _slower_by(answer)
    raise _expired()


def _poll(client: Client, code: DeviceCode) -> Answer | None:
    try:
        return client.device_token(code.device_code)
    except CirronError:  # what was confirmed once stays so, and the next question may be answered
        return None


def _slower_by(answer: Answer | None) -> float:
    """How much longer to wait before the next question.

    Raises:
        CirronError: there is no use in another question.
    """
    if answer is None or answer.status == 429 or answer.status >= 500 or answer.error == "slow_down":
        return SLOWER_S
    if answer.error == "authorization_pending":
        return 0.0
    if answer.error == "expired_token":
        raise _expired()
    if answer.error == "access_denied":
        raise CirronError("the login was declined in the browser: run `cirron auth login` to try again")
    raise CirronError(
        f"the platform refuses the login ({answer.error or answer.phrase}): run `cirron auth login` again"
    )


def _login_in(client: Client, answer: Answer) -> Login:
    try:
        return login_from(answer.document)
    except ValueError as error:
        raise client.failure("logging in", routes.DEVICE_TOKEN, str(error)) from error


def _expired() -> CirronError:
    return CirronError("the code was not confirmed in time: run `cirron auth login` for another one")
