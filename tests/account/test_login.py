"""The login in the config file, whichever way it came there."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cirron.account.login import Login, has_login, parsed_time, remove_login
from cirron.errors import CirronConfigError
from cirron.settings import Secret

INSTANT = datetime(2026, 4, 18, 4, 30, tzinfo=UTC)
SECONDS = int(INSTANT.timestamp())


def load(**document):
    path = Path("config.json")
    path.write_text(json.dumps(document), encoding="utf-8")
    return Login.load(path)


def test_a_login_by_browser_has_all_three_parts():
    auth = {"accessToken": "a", "refreshToken": "r", "expiresAt": "2026-04-18T04:30:00Z"}
    assert load(auth=auth) == Login("a", "r", INSTANT)


def test_a_login_by_token_has_only_that():
    assert load(token="t\n") == Login("t")


@pytest.mark.parametrize("document", [{}, {"token": None}, {"auth": None}, {"auth": {}}, {"apiKey": "k"}])
def test_without_a_token_nobody_is_logged_in(document):
    assert load(**document) is None


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"auth": "a"}, "auth is of type str, where an object is expected"),
        ({"auth": {"accessToken": 7}}, "auth.accessToken is of type int, where text is expected"),
        ({"auth": {"accessToken": "a", "refreshToken": ["r"]}}, "auth.refreshToken is of type list"),
        ({"token": "two lines\nof it"}, "token cannot be used"),
        ({"token": ""}, "token cannot be used"),
    ],
)
def test_a_damaged_login_is_named_with_the_way_out(document, fault):
    with pytest.raises(CirronConfigError) as caught:
        load(**document)
    assert str(caught.value).startswith(f"config.json: {fault}")
    assert str(caught.value).endswith("; run `cirron auth login` to replace it")
    assert "two lines" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        "2026-04-18T04:30:00Z",
        "2026-04-18T06:30:00+02:00",
        "2026-04-18T04:30:00.000",
        " 2026-04-18 04:30:00 ",
        SECONDS,
        float(SECONDS),
        SECONDS * 1000,
        str(SECONDS),
        str(SECONDS * 1000),
    ],
)
def test_the_end_may_be_written_in_many_ways(given):
    assert parsed_time(given) == INSTANT


@pytest.mark.parametrize(
    "given",
    [None, True, "soon", "", [], {}, 1e300, -1e300, float("nan"), "9" * 400, "0001-01-01T00:00:00+14:00"],
)
def test_an_end_that_cannot_be_read_is_not_known(given):
    assert parsed_time(given) is None


def test_no_token_shows_in_a_repr():
    assert repr(Login(Secret("access"), Secret("refresh"))) == (
        "Login(access_token='***', refresh_token='***', expires_at=None)"
    )


def test_storing_keeps_the_place_and_what_else_is_in_it():
    document = {"auth": {"accessToken": "old", "device": "laptop"}, "timeout": 5000}
    Login(Secret("a"), Secret("r"), INSTANT + timedelta(seconds=0.7)).store(document)
    assert document == {
        "auth": {
            "accessToken": "a",
            "device": "laptop",
            "refreshToken": "r",
            "expiresAt": "2026-04-18T04:30:00Z",
        },
        "timeout": 5000,
    }
    assert list(document) == ["auth", "timeout"]


def test_of_two_ways_to_be_logged_in_only_the_last_one_stays():
    document = {"auth": {"accessToken": "a"}}
    Login(Secret("t")).store(document)
    assert document == {"token": "t"}
    Login(Secret("a"), Secret("r")).store(document)
    assert document == {"auth": {"accessToken": "a", "refreshToken": "r", "expiresAt": None}}


def test_removing_leaves_the_rest():
    document = {"auth": 7, "token": "t", "apiUrl": "https://x"}
    assert has_login(document)
    remove_login(document)
    assert document == {"apiUrl": "https://x"}
    assert not has_login(document)
