"""Where the command line's settings come from, and which are refused."""

import json
from pathlib import Path

import pytest

from cirron.account import CliConfig
from cirron.errors import CirronConfigError


def load(environ=None, **document):
    path = Path("config.json")
    path.write_text(json.dumps(document), encoding="utf-8")
    return CliConfig.load(path, environ or {})


def test_without_anything_the_defaults_hold():
    assert load() == CliConfig("https://app.cirron.com", 30_000, 3, "development")


def test_the_file_goes_before_the_defaults():
    assert load(
        apiUrl="https://x/", timeout=1000, retries=0, defaultEnv="production", theme="dark"
    ) == CliConfig("https://x", 1000, 0, "production")


def test_the_environment_goes_before_the_file():
    assert load({"CIRRON_API_ENDPOINT": "https://y"}, apiUrl="https://x").api_url == "https://y"
    assert load({"CIRRON_API_ENDPOINT": ""}, apiUrl="https://x").api_url == "https://x"


def test_an_address_that_is_given_goes_before_both():
    config = CliConfig.load(Path("none"), {"CIRRON_API_ENDPOINT": "https://y"}, api_url="https://z")
    assert config.api_url == "https://z"


def test_the_file_lies_in_the_home_directory(tmp_path):
    file = tmp_path / "home" / ".cirron" / "config.json"
    file.parent.mkdir()
    file.write_text('{"timeout": 2500}')
    assert CliConfig.load().timeout_s == 2.5


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("timeout", 999, "timeout is 999"),
        ("timeout", 300_001, "timeout is 300001"),
        ("timeout", "30000", "timeout is '30000'"),
        ("timeout", 30.5, "timeout is 30.5"),
        ("timeout", None, "timeout is None"),
        ("retries", True, "retries is True"),
        ("retries", 11, "retries is 11"),
        ("retries", -1, "retries is -1"),
        ("defaultEnv", "test", "defaultEnv is 'test'"),
        ("defaultEnv", ["staging"], "defaultEnv is ['staging']"),
        ("apiUrl", 7, "apiUrl is of type int"),
        ("apiUrl", "app.cirron.com", "apiUrl cannot be used: it is no http or https URL"),
        (
            "apiUrl",
            "http://app.cirron.com",
            "apiUrl cannot be used: plain http would send the key unencrypted",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_accepted_and_the_way_out(name, value, shown):
    with pytest.raises(CirronConfigError) as caught:
        load(**{name: value})
    message = str(caught.value)
    assert message.startswith(f"config.json: {shown}")
    assert "; accepted is " in message
    assert f"`cirron config --set {name}=" in message


def test_a_password_in_an_address_is_not_shown():
    with pytest.raises(CirronConfigError) as caught:
        load(apiUrl="https://user:hunter2@host")
    assert "hunter2" not in str(caught.value)
    assert "it holds a user name or password" in str(caught.value)


def test_a_wrong_address_in_the_environment_is_blamed_on_the_environment():
    with pytest.raises(CirronConfigError, match=r"^CIRRON_API_ENDPOINT cannot be used: .* unset it"):
        load({"CIRRON_API_ENDPOINT": "ftp://x"})
