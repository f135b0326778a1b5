"""A token that the platform has just confirmed, for those who are about to upload."""

import contextlib
import json
import os
import subprocess
import sys
import threading

import pytest

from cirron.account import AuthenticationInvalid, CliConfig, NotAuthenticated, config_path, signed_in
from cirron.account.login import Login, remove_login
from cirron.config_file import change, read_config_file
from cirron.errors import CirronError
from support.platform_server import ME, REFRESH, garbage, half_close, hang, held
from support.programs import run_program

SIGN_IN = """
from cirron.account import CliConfig, config_path, signed_in
print(signed_in(CliConfig.load(), config_path()))
"""

SIGN_IN_ON_A_FULL_DISK = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (50, resource.RLIM_INFINITY))
{SIGN_IN}
"""


def sign_in():
    return signed_in(CliConfig.load(), config_path())


def error():
    with pytest.raises(CirronError) as caught:
        sign_in()
    return str(caught.value)


def paths(platform):
    return [request.path for request in platform.requests]


def test_a_good_token_is_verified_and_returned(platform):
    token = platform.sign_in()
    assert sign_in() == token
    assert paths(platform) == [ME]
    assert platform.requests[0].headers["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize("left_s", [-3600, 0, 290])
def test_a_token_that_ends_within_five_minutes_is_refreshed_first(platform, left_s):
    old = platform.sign_in(left_s)
    token = sign_in()
    assert token != old
    assert paths(platform) == [REFRESH, ME]
    assert token in platform.access_tokens
    assert Login.load(config_path()).access_token == token


def test_a_token_that_lasts_longer_is_not_refreshed(platform):
    platform.sign_in(310)
    sign_in()
    assert paths(platform) == [ME]


def test_refreshing_keeps_the_rest_of_the_file_and_stores_the_new_pair(platform):
    platform.sign_in(0, workspaceId="w")
    sign_in()
    document = read_config_file(config_path())
    assert (document["workspaceId"], document["apiUrl"]) == ("w", platform.url)
    assert document["auth"]["refreshToken"] in platform.refresh_tokens
    assert document["auth"]["expiresAt"].endswith("Z")


def test_a_refresh_that_gives_no_new_refresh_token_keeps_the_old_one(platform):
    platform.keeps_refresh_tokens = True
    platform.sign_in(0)
    before = read_config_file(config_path())["auth"]["refreshToken"]
    sign_in()
    assert read_config_file(config_path())["auth"]["refreshToken"] == before


def test_a_refused_token_is_refreshed_and_verified_again(platform):
    old = platform.sign_in()
    platform.access_tokens.clear()
    assert sign_in() != old
    assert paths(platform) == [ME, REFRESH, ME]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refresh_that_does_not_help_makes_the_login_invalid(platform, status):
    platform.sign_in()
    platform.answers[ME].extend([status, status])
    with pytest.raises(
        AuthenticationInvalid, match=r"^Authentication invalid\. Run cirron auth login first\.$"
    ):
        sign_in()


@pytest.mark.parametrize("answer", [401, 403, 404, (400, {}, b'{"error": "invalid_grant"}')])
def test_a_refused_refresh_token_makes_the_login_invalid(platform, answer):
    platform.sign_in()
    platform.access_tokens.clear()
    platform.answers[REFRESH].append(answer)
    with pytest.raises(AuthenticationInvalid):
        sign_in()
    assert Login.load(config_path()) is not None


def test_a_token_that_seems_to_have_ended_counts_while_the_platform_takes_it(platform):
    token = platform.sign_in(-60)
    platform.refresh_tokens.clear()
    assert sign_in() == token


def test_a_login_by_token_is_verified_and_cannot_be_refreshed(platform):
    platform.sign_in()
    token = platform.issue()["access_token"]
    change(config_path(), lambda document: (remove_login(document), document.update(token=token)))
    assert sign_in() == token
    platform.access_tokens.clear()
    with pytest.raises(AuthenticationInvalid):
        sign_in()
    assert REFRESH not in paths(platform)


def test_without_a_login_nobody_is_asked(platform):
    with pytest.raises(NotAuthenticated, match=r"^Not authenticated\. Run cirron auth login first\.$"):
        sign_in()
    assert platform.requests == []


def test_a_platform_without_the_route_leaves_it_to_the_upload(platform):
    token = platform.sign_in()
    platform.missing.add(ME)
    assert sign_in() == token


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (503, "503 Service Unavailable"),
        (429, "429 Too Many Requests"),
        ((302, {"Location": "https://elsewhere"}, b""), "302 Found, a redirect, which is not followed"),
        ((200, {}, b"<html>Please log in to this network"), "what answers there is no Cirron platform"),
        ((200, {}, b"[" * 60_000), "what answers there is no Cirron platform"),
        ((200, {}, b"{" + b" " * 70_000 + b"}"), "what answers there is no Cirron platform"),
        (half_close, "Server disconnected without sending a response."),
        (garbage, ""),
    ],
)
def test_a_platform_that_gives_no_answer_is_named_with_the_reason(platform, answer, reason):
    token = platform.sign_in()
    platform.answers[ME].append(answer)
    said = error()
    assert said.startswith(f"Network error verifying the login at {platform.url}{ME}: {reason}")
    assert token not in said


def test_a_platform_that_is_not_there_is_named(platform):
    platform.sign_in()
    platform.stop()
    assert error() == f"Network error verifying the login at {platform.url}{ME}: Connection refused"


def endless_header(handler):
    """Begin an answer that goes on byte by byte and never comes to its end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    with contextlib.suppress(OSError):  # the client has had enough
        while not handler.server.owner.ending.wait(0.05):
            handler.wfile.write(b"x")
    handler.close_connection = True


@pytest.mark.parametrize("answer", [hang, endless_header])
def test_a_platform_that_does_not_answer_is_given_up_in_time(platform, answer):
    platform.sign_in(timeout=1000)
    platform.answers[ME].append(answer)
    ended = run_program(SIGN_IN)
    assert ended.stderr.endswith(f"{ME}: timed out after 1000ms\n")


def test_no_proxy_sees_a_login_that_goes_over_plain_http(platform, monkeypatch):
    platform.sign_in()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    sign_in()


def test_processes_that_refresh_at_once_spend_one_refresh_token(platform):
    platform.sign_in(0)
    go_on = threading.Event()
    platform.answers[REFRESH].append(held(go_on))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SIGN_IN], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        for _ in range(4)
    ]
    platform.arrived.acquire()
    go_on.set()
    tokens = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert tokens == {Login.load(config_path()).access_token}
    assert len(platform.requests_to(REFRESH)) == 1


def test_who_logs_out_during_a_refresh_stays_logged_out(platform):
    platform.sign_in(0)
    go_on = threading.Event()
    platform.answers[REFRESH].append(held(go_on))
    process = subprocess.Popen([sys.executable, "-c", SIGN_IN], stdout=subprocess.PIPE, env=dict(os.environ))
    platform.arrived.acquire()
    change(config_path(), remove_login)
    go_on.set()
    process.communicate()
    assert Login.load(config_path()) is None


def test_on_a_full_disk_the_refresh_token_is_not_spent(platform):
    platform.sign_in()
    platform.access_tokens.clear()
    ended = run_program(SIGN_IN_ON_A_FULL_DISK)
    assert "cannot be written (File too large)" in ended.stderr
    assert REFRESH not in paths(platform)


def test_no_token_is_in_a_traceback(platform):
    token = platform.sign_in(0)
    platform.answers[REFRESH].append((200, {}, b"{}"))
    platform.answers[ME].extend([500])
    ended = run_program(SIGN_IN)
    assert ended.code == 1
    assert token not in ended.stderr
    assert read_config_file(config_path())["auth"]["refreshToken"] not in ended.stderr


def test_a_damaged_file_is_an_error_and_stays(platform):
    platform.sign_in()
    config_path().write_text('{"auth": ')
    assert "line 1, column 10" in error()
    assert config_path().read_text() == '{"auth": '


def test_the_file_is_as_the_contract_has_it(platform):
    platform.sign_in(0)
    sign_in()
    auth = json.loads(config_path().read_text())["auth"]
    assert list(auth) == ["accessToken", "refreshToken", "expiresAt"]
