"""Polling for a login: at the platform's pace, and until there is no use in it."""

import pytest

from cirron.account import CliConfig, Client
from cirron.account.device import begin, wait_for_confirmation
from cirron.errors import CirronError
from support.platform_server import DEVICE_CODE, DEVICE_TOKEN, garbage, half_close


class Clock:
    """Seconds that pass while somebody waits, and are written down."""

    def __init__(self):
        self.waits_s = []

    def __call__(self):
        return sum(self.waits_s)

    def wait(self, seconds):
        self.waits_s.append(seconds)


@pytest.fixture
def client(platform):
    platform.device_interval_s = 2
    return Client(CliConfig(platform.url, 30_000, 3, "development"))


def code_with(field):
    """An answer with a device code, but for one field that cannot be used."""
    return 200, {}, b'{"device_code": "d", "user_code": "u", "verification_uri": "https://x", %s}' % field


def log_in(client, clock):
    return wait_for_confirmation(client, begin(client), clock.wait, clock)


def waits_s(client):
    clock = Clock()
    log_in(client, clock)
    return clock.waits_s


def error(client):
    with pytest.raises(CirronError) as caught:
        log_in(client, Clock())
    return str(caught.value)


def test_the_platform_is_asked_at_the_interval_it_names(platform, client):
    platform.polls.extend(["authorization_pending"] * 3)
    assert waits_s(client) == [2, 2, 2, 2]


def test_slow_down_adds_five_seconds_for_good(platform, client):
    platform.polls.extend(["slow_down", "authorization_pending", "slow_down"])
    assert waits_s(client) == [2, 7, 7, 12]


def test_without_an_interval_it_is_five_seconds(platform, client):
    platform.answers[DEVICE_CODE].append(
        (200, {}, b'{"device_code": "device-4711", "user_code": "u", "verification_uri": "https://x"}')
    )
    assert waits_s(client) == [5]


def test_an_interval_of_nothing_is_still_a_pause(platform, client):
    platform.device_interval_s = 0
    assert waits_s(client) == [0.05]


@pytest.mark.parametrize("answer", [503, 429, half_close, garbage])
def test_a_platform_in_trouble_is_asked_again_but_less_often(platform, client, answer):
    platform.answers[DEVICE_TOKEN].append(answer)
    assert waits_s(client) == [2, 7]


def test_the_login_has_both_tokens_and_an_end(platform, client):
    login = log_in(client, Clock())
    assert (login.access_token in platform.access_tokens, login.refresh_token in platform.refresh_tokens) == (
        True,
        True,
    )
    assert 3590 < login.left().total_seconds() <= 3600


def test_a_code_that_is_not_confirmed_in_time_ends_the_wait(platform, client):
    platform.device_lifetime_s = 5
    platform.polls.extend(["authorization_pending"] * 9)
    assert error(client) == "the code was not confirmed in time: run `cirron auth login` for another one"
    assert len(platform.requests_to(DEVICE_TOKEN)) == 3


def test_a_code_that_never_expires_is_waited_for_an_hour(platform, client):
    platform.device_lifetime_s, platform.device_interval_s = 1e300, 1000
    platform.polls.extend(["authorization_pending"] * 9)
    clock = Clock()
    with pytest.raises(CirronError, match="not confirmed in time"):
        log_in(client, clock)
    assert clock.waits_s == [1000, 1000, 1000, 600]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("expired_token", "the code was not confirmed in time"),
        ("access_denied", "the login was declined in the browser"),
        ("invalid_client", "the platform refuses the login (invalid_client)"),
        ("\x1b[31mred", "the platform refuses the login (400 Bad Request)"),
    ],
)
def test_what_ends_the_wait_says_why(platform, client, said, message):
    platform.polls.append(said)
    assert error(client).startswith(message)
    assert len(platform.requests_to(DEVICE_TOKEN)) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (404, "has no login by way of a browser (404): make a token there"),
        (500, "500 Internal Server Error"),
        ((302, {"Location": "https://elsewhere"}, b""), "302 Found, a redirect, which is not followed"),
        ((200, {}, b"<html>"), "the answer is no device code"),
        ((200, {}, b'{"device_code": "secret-code", "user_code": 7}'), "the answer is no device code"),
        (code_with(b'"interval": NaN'), "the answer is no device code"),
        (code_with(b'"expires_in": NaN'), "the answer is no device code"),
        (code_with(b'"expires_in": -5'), "the answer is no device code"),
        (code_with(b'"user_code": "%s"' % (b"U" * 60_000)), "the answer is no device code"),
        (half_close, "Server disconnected"),
    ],
)
def test_a_platform_that_gives_no_code_is_named_with_the_reason(platform, client, answer, message):
    platform.answers[DEVICE_CODE].append(answer)
    said = error(client)
    assert platform.url in said
    assert message in said
    assert "secret-code" not in said


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"access_token": 7}', b'{"access_token": "a b"}'])
def test_a_login_that_cannot_be_used_is_an_error(platform, client, body):
    platform.answers[DEVICE_TOKEN].append((200, {}, body))
    assert error(client).startswith(f"Network error logging in at {platform.url}{DEVICE_TOKEN}: ")


def test_the_device_code_does_not_show_in_a_repr(client):
    assert repr(begin(client)) == "DeviceCode(user_code='WDJB-MJHT')"
