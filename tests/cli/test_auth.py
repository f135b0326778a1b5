"""`cirron auth …` against a platform on the loopback interface."""

import json
import signal
import stat
from pathlib import Path

import pytest

from cirron.account import config_path
from cirron.config_file import read_config_file
from support.commands import cirron, start
from support.platform_server import DEVICE_CODE, DEVICE_TOKEN, ME, REFRESH, echo, half_close

NOT_LOGGED_IN = "Error: Not authenticated. Run cirron auth login first.\n"
DAY_S = 24 * 3600


@pytest.fixture
def url(platform, monkeypatch):
    """The platform's address, which is configured."""
    config_path().parent.mkdir(mode=0o700)
    config_path().write_text(json.dumps({"apiUrl": platform.url, "workspaceId": "w"}))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    return platform.url


def config():
    return read_config_file(config_path())


class TestLogin:
    def test_by_browser_shows_code_and_address_polls_and_stores_both_tokens(self, platform, url):
        platform.polls.extend(["authorization_pending"] * 2)
        code, out, err = cirron("auth", "login")
        assert (code, out) == (0, "")
        assert err.splitlines() == [
            f"Open {url}/device in a browser and confirm this code:",
            "",
            "    WDJB-MJHT",
            "",
            "Waiting for that, for at most 10 min 00 s; Ctrl-C gives up",
            f"Success: Logged in to {url} as Ada Lovelace <ada@example.com>",
        ]
        assert len(platform.requests_to(DEVICE_TOKEN)) == 3
        assert config()["auth"]["accessToken"] in platform.access_tokens
        assert config()["auth"]["refreshToken"] in platform.refresh_tokens
        assert list(config()) == ["apiUrl", "workspaceId", "auth"]

    def test_keeps_the_file_to_this_user(self, platform, url):
        cirron("auth", "login")
        assert stat.filemode(config_path().stat().st_mode) == "-rw-------"

    def test_that_cannot_be_kept_says_so_before_anybody_goes_to_a_browser(self, platform, url):
        config_path().with_name("config.json.lock").mkdir()
        code, out, err = cirron("auth", "login")
        assert (code, out) == (1, "")
        assert err.startswith(f"Error: {config_path()} cannot be written")
        assert platform.requests == []

    def test_that_is_declined_says_so_and_stores_nothing(self, platform, url):
        platform.polls.append("access_denied")
        code, out, err = cirron("auth", "login")
        assert (code, out) == (1, "")
        assert err.endswith(
            "Error: the login was declined in the browser: run `cirron auth login` to try again\n"
        )
        assert "auth" not in config()

    def test_that_is_not_confirmed_in_time_says_so(self, platform, url):
        platform.device_lifetime_s = 0.01
        platform.polls.extend(["authorization_pending"] * 9)
        code, _, err = cirron("auth", "login")
        assert code == 1
        assert err.endswith(
            "Error: the code was not confirmed in time: run `cirron auth login` for another one\n"
        )

    def test_that_is_interrupted_stores_nothing(self, platform, url):
        platform.polls.extend(["authorization_pending"] * 10_000)
        before = config()
        with start("auth", "login") as process:
            while DEVICE_TOKEN not in [request.path for request in platform.requests]:
                platform.arrived.acquire()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate()
        assert process.returncode == 130
        assert "Traceback" not in err
        assert config() == before

    def test_by_token_verifies_it_and_stores_it(self, platform, url):
        token = platform.issue()["access_token"]
        assert cirron("auth", "login", "--token", token) == (
            0,
            "",
            f"Success: Logged in to {url} as Ada Lovelace <ada@example.com>\n",
        )
        assert config() == {"apiUrl": url, "workspaceId": "w", "token": token}

    def test_takes_a_token_from_standard_input(self, platform, url):
        token = platform.issue()["access_token"]
        assert cirron("auth", "login", "--token", "-", stdin=f"{token}\n")[0] == 0
        assert config()["token"] == token

    def test_with_a_token_that_is_refused_says_so_and_stores_nothing(self, platform, url):
        code, _, err = cirron("auth", "login", "--token", "wrong-token-4711")
        assert code == 1
        assert err.startswith(f"Error: {url} does not accept this token; nothing was changed")
        assert "wrong-token-4711" not in err
        assert "token" not in config()

    def test_with_a_token_that_nobody_can_verify_stores_nothing(self, platform, url):
        platform.answers[ME].append(half_close)
        code, _, err = cirron("auth", "login", "--token", "t")
        assert code == 1
        assert err.startswith(f"Error: Network error verifying the login at {url}{ME}: ")
        assert "token" not in config()

    def test_where_the_platform_cannot_verify_leaves_it_to_the_upload(self, platform, url):
        platform.missing.add(ME)
        assert cirron("auth", "login", "--token", "t") == (0, "", f"Success: Logged in to {url}\n")

    @pytest.mark.parametrize("token", ["", " ", "two words", "line\nbreak", "\x1b[2J", "tökén"])
    def test_with_a_token_that_no_header_can_carry_is_wrong_usage(self, url, token):
        code, _, err = cirron("auth", "login", "--token", token)
        assert code == 2
        assert "the token cannot be used: it is empty or holds characters that a header cannot carry" in err
        assert not token.strip() or token not in err

    def test_with_nothing_on_standard_input_is_wrong_usage(self, url):
        assert cirron("auth", "login", "--token", "-")[0] == 2

    def test_keeps_the_address_that_is_given(self, platform):
        token = platform.issue()["access_token"]
        assert cirron("auth", "login", "--token", token, "--url", f"{platform.url}/")[0] == 0
        assert config() == {"token": token, "apiUrl": platform.url}

    def test_keeps_no_address_when_it_fails(self, platform):
        assert cirron("auth", "login", "--token", "wrong", "--url", platform.url)[0] == 1
        assert not config_path().exists()

    def test_says_what_goes_before_the_address_that_is_given(self, platform):
        token = platform.issue()["access_token"]
        arguments = ("auth", "login", "--token", token, "--url", platform.url)
        code, _, err = cirron(*arguments, CIRRON_API_ENDPOINT="https://elsewhere.example.com")
        assert code == 0
        assert err.endswith(
            "Warning: CIRRON_API_ENDPOINT is set and goes before the address given here: unset it\n"
        )

    @pytest.mark.parametrize(
        ("address", "fault"),
        [
            ("http://cirron.example.com", "plain http would send the key unencrypted"),
            ("http://127.0.0.1.example.com", "plain http would send the key unencrypted"),
            ("cirron.example.com", "it is no http or https URL"),
            ("https://user:hunter2@host", "it holds a user name or password"),
            ("https://host/?a=b", "it has something after a ? or #"),
        ],
    )
    def test_refuses_an_address_that_no_token_may_be_sent_to(self, address, fault):
        code, _, err = cirron("auth", "login", "--token", "t", "--url", address)
        assert code == 2
        assert f"--url cannot be used: {fault}" in err
        assert "hunter2" not in err
        assert not config_path().exists()

    def test_refuses_to_send_a_token_over_plain_http_whoever_configured_that(self, url):
        code, _, err = cirron("auth", "login", "--token", "t", CIRRON_API_ENDPOINT="http://example.com")
        assert code == 1
        assert err.startswith("Error: CIRRON_API_ENDPOINT cannot be used: plain http would send the key")

    def test_replaces_another_login_and_says_so(self, platform):
        platform.sign_in()
        token = platform.issue()["access_token"]
        code, _, err = cirron("auth", "login", "--token", token)
        assert code == 0
        assert err.endswith("\nThe login from before is replaced\n")
        assert config() == {"apiUrl": platform.url, "token": token}

    def test_replaces_a_damaged_login(self, platform, url):
        config_path().write_text(json.dumps({"apiUrl": url, "auth": 7}))
        assert cirron("auth", "login", "--token", platform.issue()["access_token"])[0] == 0
        assert list(config()) == ["apiUrl", "token"]

    def test_leaves_a_damaged_file_alone(self, platform):
        config_path().parent.mkdir()
        config_path().write_text('{"token": "t",')
        code, _, err = cirron("auth", "login", "--url", platform.url)
        assert code == 1
        assert "config.json, line 1, column 15: " in err
        assert err.endswith("Correct the file, or delete it to start over\n")
        assert config_path().read_text() == '{"token": "t",'
        assert platform.requests == []

    def test_follows_no_redirect(self, platform, url):
        platform.answers[ME].append((302, {"Location": f"{platform.url}/elsewhere"}, b""))
        code, _, err = cirron("auth", "login", "--token", "t")
        assert code == 1
        assert "302 Found, a redirect, which is not followed" in err
        assert [request.path for request in platform.requests] == [ME]

    def test_shows_nothing_that_a_terminal_would_obey(self, platform, url):
        platform.user = {"name": "\x1b]0;owned\x07Ada", "email": None}
        hostile = {
            "device_code": "device-4711",
            "user_code": "A\x1b[2JB\r",
            "verification_uri": "\x1b[31mx\n",
        }
        platform.answers[DEVICE_CODE].append((200, {}, json.dumps(hostile | {"interval": 0}).encode()))
        code, _, err = cirron("auth", "login")
        assert code == 0
        assert err.replace("\n", "").isprintable()


class TestBrowser:
    @pytest.fixture
    def browser(self, tmp_path):
        """A browser that writes down the address it is to open."""
        script = tmp_path / "browser"
        script.write_text('#!/bin/sh\nprintf %s "$1" > opened.tmp && mv opened.tmp opened\n')
        script.chmod(0o755)
        return f"{script} %s"

    @pytest.fixture
    def opened(self):
        return Path("opened")

    def answer_once_it_is(self, platform, opened):
        """Have the platform confirm the code when the browser has been there."""

        def answer(handler):
            while not opened.exists() and not handler.server.owner.ending.wait(0.01):
                pass
            handler.answer_as_the_route_does()

        platform.answers[DEVICE_TOKEN].append(answer)

    def test_opens_where_the_code_is_filled_in_already(self, platform, url, browser, opened):
        self.answer_once_it_is(platform, opened)
        assert cirron("auth", "login", BROWSER=browser)[0] == 0
        assert opened.read_text() == f"{url}/device?user_code=WDJB-MJHT"

    def test_is_not_opened_when_the_user_does_not_want_it(self, platform, url, browser, opened):
        assert cirron("auth", "login", "--no-browser", BROWSER=browser)[0] == 0
        assert not opened.exists()

    def test_that_cannot_be_opened_is_no_failure(self, platform, url):
        assert cirron("auth", "login", BROWSER="/nowhere/browser")[0] == 0

    @pytest.mark.parametrize("address", ["file:///etc/passwd", "--help", "https://x y"])
    def test_opens_only_web_pages(self, platform, url, browser, opened, address):
        code = {"device_code": "device-4711", "user_code": "u", "verification_uri": address, "interval": 0}
        platform.answers[DEVICE_CODE].append((200, {}, json.dumps(code).encode()))
        assert cirron("auth", "login", BROWSER=browser)[0] == 0
        assert not opened.exists()


class TestLogout:
    def test_removes_the_login_and_leaves_the_rest(self, platform):
        platform.sign_in(timeout=5000, workspaceId="w")
        assert cirron("auth", "logout") == (0, "", "Success: Logged out\n")
        assert config() == {"apiUrl": platform.url, "timeout": 5000, "workspaceId": "w"}

    def test_twice_is_no_failure(self):
        assert cirron("auth", "logout") == (0, "", "Nobody is logged in\n")
        assert not config_path().parent.exists()


class TestStatus:
    def test_shows_user_address_and_end(self, platform):
        platform.sign_in(12.5 * DAY_S)
        end = config()["auth"]["expiresAt"]
        code, out, err = cirron("auth", "status")
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "User:     Ada Lovelace <ada@example.com>",
            f"API URL:  {platform.url}",
            f"Login:    expires in 12 days ({end})",
        ]

    @pytest.mark.parametrize(("days", "words"), [(6.9, "6 days"), (1.5, "1 day"), (0.9, "21 h 35 min")])
    def test_warns_from_seven_days_on(self, platform, days, words):
        platform.sign_in(days * DAY_S)
        document = config()
        document["auth"]["refreshToken"] = None
        config_path().write_text(json.dumps(document))
        code, _, err = cirron("auth", "status")
        assert code == 0
        assert err.startswith(f"Warning: the login expires in {words} (")
        assert err.endswith("): run `cirron auth login`\n")

    def test_does_not_warn_of_an_end_that_a_refresh_token_puts_off(self, platform):
        platform.sign_in(3600)
        code, out, err = cirron("auth", "status")
        assert (code, err) == (0, "")
        assert "expires in " in out

    def test_of_a_login_by_token_knows_no_end(self, platform, url):
        cirron("auth", "login", "--token", platform.issue()["access_token"])
        code, out, err = cirron("auth", "status")
        assert (code, err) == (0, "")
        assert out.endswith("Login:    does not say when it expires\n")

    def test_refreshes_a_login_that_is_about_to_end(self, platform):
        platform.lifetime_s = 30 * DAY_S
        platform.sign_in(60)
        code, out, err = cirron("auth", "status")
        assert (code, err) == (0, "")
        assert "expires in 29 days" in out

    def test_without_a_login_fails(self, url):
        assert cirron("auth", "status") == (1, "", NOT_LOGGED_IN)

    @pytest.mark.parametrize(("command", "route"), [("status", ME), ("refresh", REFRESH)])
    def test_shows_no_token_that_the_platform_sends_back(self, platform, command, route):
        platform.sign_in()
        login = config()["auth"]
        platform.answers[route].append(echo)
        code, out, err = cirron("auth", command)
        assert code == 1
        assert "***" in err
        assert not [token for token in (login["accessToken"], login["refreshToken"]) if token in out + err]

    def test_of_a_refused_login_fails(self, platform):
        platform.sign_in()
        platform.access_tokens.clear()
        platform.refresh_tokens.clear()
        assert cirron("auth", "status") == (
            1,
            "",
            "Error: Authentication invalid. Run cirron auth login first.\n",
        )

    def test_offline_shows_what_is_known_and_fails(self, platform):
        platform.sign_in(30.5 * DAY_S)
        platform.stop()
        code, out, err = cirron("auth", "status")
        assert code == 1
        assert out.startswith(
            f"User:     not verified\nAPI URL:  {platform.url}\nLogin:    expires in 30 days ("
        )
        assert err.startswith(f"Error: Network error verifying the login at {platform.url}{ME}: ")

    def test_of_a_damaged_login_tells_the_way_out(self):
        config_path().parent.mkdir()
        config_path().write_text('{"auth": {"accessToken": 7}}')
        code, _, err = cirron("auth", "status")
        assert code == 1
        assert err.endswith(
            "config.json: auth.accessToken is of type int, where text is expected; "
            "run `cirron auth login` to replace it\n"
        )


class TestRefresh:
    def test_stores_a_new_pair(self, platform):
        old = platform.sign_in(30 * DAY_S)
        code, out, err = cirron("auth", "refresh")
        assert (code, out) == (0, "")
        assert err.startswith("Success: The login is refreshed; it expires in ")
        assert config()["auth"]["accessToken"] in platform.access_tokens - {old}

    def test_without_a_login_fails(self, url):
        assert cirron("auth", "refresh") == (1, "", NOT_LOGGED_IN)

    def test_of_a_login_by_token_is_not_possible(self, platform, url):
        cirron("auth", "login", "--token", platform.issue()["access_token"])
        assert cirron("auth", "refresh") == (
            1,
            "",
            "Error: a login by --token cannot be refreshed: run `cirron auth login` for another one\n",
        )

    def test_that_is_refused_asks_for_another_login(self, platform):
        platform.sign_in()
        platform.refresh_tokens.clear()
        assert cirron("auth", "refresh")[2] == "Error: Authentication invalid. Run cirron auth login first.\n"

    def test_that_gets_no_answer_keeps_the_old_login(self, platform):
        platform.sign_in()
        before = config_path().read_text()
        platform.answers[REFRESH].append(503)
        code, _, err = cirron("auth", "refresh")
        assert code == 1
        assert (
            f"Network error refreshing the login at {platform.url}{REFRESH}: 503 Service Unavailable" in err
        )
        assert json.loads(config_path().read_text()) == json.loads(before)


@pytest.mark.parametrize("command", ["login", "logout", "status", "refresh"])
def test_each_command_shows_an_example(command):
    code, out, _ = cirron("auth", command, "--help")
    assert code == 0
    assert f"cirron auth {command}" in out.split("Example:")[1]
