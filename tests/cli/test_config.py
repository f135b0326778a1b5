"""`cirron config`: the settings of the command line."""

import json
import threading

import pytest

from cirron.account import config_path
from cirron.config_file import read_config_file
from support.commands import cirron


def write(**document):
    config_path().parent.mkdir(exist_ok=True)
    config_path().write_text(json.dumps(document), encoding="utf-8")


def config():
    return read_config_file(config_path())


class TestList:
    def test_says_where_each_setting_comes_from(self):
        write(timeout=5000, workspaceId="w")
        code, out, err = cirron("config", "--list", CIRRON_API_ENDPOINT="https://x")
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "apiUrl       https://x    from CIRRON_API_ENDPOINT",
            "timeout      5000         from the file",
            "retries      3            by default",
            "defaultEnv   development  by default",
            "workspaceId  w            from the file",
        ]

    def test_masks_every_secret(self):
        secrets = [
            "access-0123456789",
            "refresh-0123456789",
            "key-0123456789-abcd",
            "short",
            "nested-0123456789",
            "Bearer header-0123456789",
            "credential-0123456789",
            "personal-0123456789",
        ]
        write(
            auth={"accessToken": secrets[0], "refreshToken": secrets[1], "expiresAt": "2026-04-18T04:30:00Z"},
            apiKey=secrets[2],
            token=secrets[3],
            proxy={"passwords": [secrets[4]]},
            authorization=secrets[5],
            credentials={"value": [{"of": secrets[6]}]},
            pat=secrets[7],
        )
        _, out, _ = cirron("config", "--list")
        assert not [secret for secret in secrets if secret in out]
        assert "****abcd" in out
        assert "2026-04-18T04:30:00Z" in out

    def test_shows_no_address_that_may_hold_a_password(self):
        address = "https://bob:hunter2@app.cirron.com"
        write(apiUrl=address)
        from_file, from_environ = (
            cirron("config", "--list"),
            cirron("config", "--list", CIRRON_API_ENDPOINT=address),
        )
        assert "hunter2" not in str((from_file, from_environ))
        assert from_file.out.splitlines()[0] == "apiUrl      (cannot be used)  from the file"

    def test_masks_a_login_that_is_damaged(self):
        write(auth="access-0123456789")
        assert "auth        ****6789" in cirron("config", "--list").out

    def test_warns_of_a_variable_that_cannot_be_used_with_its_own_way_out(self):
        _, _, err = cirron("config", "--list", CIRRON_API_ENDPOINT="ftp://x")
        assert err == (
            "Warning: CIRRON_API_ENDPOINT cannot be used: it is no http or https URL: unset it, or set it to a URL "
            "such as https://app.cirron.com\n"
        )

    def test_warns_of_values_that_cannot_be_used(self):
        write(timeout="soon")
        code, out, err = cirron("config", "--list")
        assert code == 0
        assert "timeout     soon" in out
        assert (
            "config.json: timeout is 'soon'; accepted is a number of milliseconds from 1000 to 300000" in err
        )

    def test_shows_nothing_that_a_terminal_would_obey(self):
        write(**{"a\x1b[2J": "b\r\n", "apiUrl": "\x07"})
        _, out, err = cirron("config", "--list")
        assert (out + err).replace("\n", "").isprintable()


class TestGet:
    def test_prints_the_value_alone(self):
        write(timeout=5000)
        assert cirron("config", "--get", "timeout") == (0, "5000\n", "")
        assert cirron("config", "--get", "apiUrl") == (0, "https://app.cirron.com\n", "")
        assert cirron("config", "--get", "apiUrl", CIRRON_API_ENDPOINT="https://x")[1] == "https://x\n"

    def test_masks_tokens(self):
        write(token="token-0123456789", auth={"accessToken": "access-0123456789"})
        assert cirron("config", "--get", "token") == (0, "****6789\n", "")
        assert cirron("config", "--get", "auth") == (0, '{"accessToken": "****6789"}\n', "")

    def test_of_an_unknown_key_is_wrong_usage(self):
        code, out, err = cirron("config", "--get", "timeuot")
        assert (code, out) == (2, "")
        assert "there is no setting 'timeuot'; there are apiUrl, timeout, retries, defaultEnv" in err

    def test_of_a_value_that_cannot_be_used_fails_with_the_way_out(self):
        write(retries=11)
        code, out, err = cirron("config", "--get", "retries")
        assert (code, out) == (1, "")
        assert "retries is 11; accepted is a number from 0 to 10" in err
        assert "`cirron config --set retries=3`" in err


class TestSet:
    def test_changes_a_setting_and_keeps_the_rest(self):
        write(token="t", timeout=1000, other=[1])
        assert cirron("config", "--set", "timeout=60000") == (0, "", "Success: timeout is now 60000\n")
        assert config() == {"token": "t", "timeout": 60000, "other": [1]}

    def test_may_be_repeated(self):
        assert cirron("config", "--set", "retries=0", "--set", "defaultEnv=staging")[0] == 0
        assert config() == {"retries": 0, "defaultEnv": "staging"}

    def test_changes_nothing_when_one_of_several_is_wrong(self):
        assert cirron("config", "--set", "retries=0", "--set", "timeout=0")[0] == 2
        assert not config_path().exists()

    def test_repairs_a_value_that_cannot_be_used(self):
        write(timeout="soon")
        assert cirron("config", "--set", "timeout=1000")[0] == 0
        assert config() == {"timeout": 1000}

    def test_keeps_an_address_without_its_last_slash(self):
        cirron("config", "--set", "apiUrl=https://cirron.example.com/base/")
        assert config() == {"apiUrl": "https://cirron.example.com/base"}

    def test_says_what_goes_before_the_address(self):
        _, _, err = cirron("config", "--set", "apiUrl=https://x", CIRRON_API_ENDPOINT="https://y")
        assert err.endswith("Warning: CIRRON_API_ENDPOINT is set and goes before apiUrl\n")

    @pytest.mark.parametrize(
        ("assignment", "message"),
        [
            ("timeout=999", "timeout is 999; accepted is a number of milliseconds from 1000 to 300000"),
            ("timeout=300001", "timeout is 300001; accepted"),
            ("timeout=-1", "timeout is '-1'; accepted"),
            ("timeout=1e4", "timeout is '1e4'; accepted"),
            ("timeout=" + "9" * 5000, "accepted is a number of milliseconds"),
            ("timeout=", "timeout is ''; accepted"),
            ("retries=11", "retries is 11; accepted is a number from 0 to 10"),
            ("defaultEnv=prod", "defaultEnv is 'prod'; accepted is development or staging or production"),
            (
                "apiUrl=http://example.com",
                "apiUrl cannot be used: plain http would send the key unencrypted",
            ),
            ("apiUrl=", "apiUrl cannot be used: it is no http or https URL; accepted is a URL such as"),
            ("token=t", "there is no setting 'token' to change; the settings are apiUrl, timeout, retries"),
            ("timeout", "--set takes K=V; the settings are apiUrl, timeout, retries, defaultEnv"),
            ("\x1b[2J=1", r"there is no setting '\x1b[2J' to change"),
        ],
    )
    def test_of_a_wrong_key_or_value_is_wrong_usage(self, assignment, message):
        code, out, err = cirron("config", "--set", assignment)
        assert (code, out) == (2, "")
        assert message in err
        assert err.replace("\n", "").isprintable()
        assert not config_path().exists()

    def test_by_several_processes_at_once_loses_nothing(self):
        assignments = [("timeout", 2000), ("retries", 5), ("defaultEnv", "staging"), ("apiUrl", "https://x")]
        threads = [
            threading.Thread(target=cirron, args=("config", "--set", f"{name}={value}"))
            for name, value in assignments
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert config() == dict(assignments)

    def test_leaves_a_damaged_file_alone(self):
        write()
        config_path().write_text('{\n"token": oops}')
        code, _, err = cirron("config", "--set", "timeout=1000")
        assert code == 1
        assert "config.json, line 2, column 10: Expecting value. Correct the file, or delete it" in err
        assert config_path().read_text() == '{\n"token": oops}'


class TestReset:
    def test_puts_the_settings_back_and_keeps_the_login(self):
        write(apiUrl="https://x", timeout=1, retries=1, defaultEnv="x", token="t", other=1)
        code, out, err = cirron("config", "--reset")
        assert (code, out) == (0, "")
        assert err.splitlines() == [
            "Success: apiUrl, timeout, retries and defaultEnv have their defaults again",
            "The login is kept; `cirron auth logout` removes it",
        ]
        assert config() == {"token": "t", "other": 1}


@pytest.mark.parametrize(
    "arguments",
    [[], ["--list", "--reset"], ["--get", "timeout", "--set", "retries=1"], ["--get", ""], ["timeout"]],
)
def test_anything_but_one_thing_at_a_time_is_wrong_usage(arguments):
    code, out, err = cirron("config", *arguments)
    assert (code, out) == (2, "")
    assert "Usage: cirron config" in err


def test_the_help_shows_an_example():
    assert "cirron config --set timeout=60000" in cirron("config", "--help")[1]


def test_a_home_that_cannot_be_written_is_an_error_with_the_way_out(tmp_path):
    (tmp_path / "home" / ".cirron").write_text("a file in its place")
    code, _, err = cirron("config", "--set", "timeout=1000")
    assert code == 1
    assert "config.json cannot be written (File exists): make room for it, or make its folder writable" in err
