"""How the command line reaches its platform: four keys of the config file, with their checks and defaults."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cirron.config_file import read_config_file, user_config_file
from cirron.delivery.endpoint import checked_endpoint
from cirron.errors import CirronConfigError

ENVIRONMENTS = ("development", "staging", "production")
API_URL_VARIABLE = "CIRRON_API_ENDPOINT"


@dataclass(frozen=True)
class Key:
    """One key of the file.

    Attributes:
        default: its value where nothing else is said.
        accepted: what may be its value, in words.
        check: the value in its own type; raises `ValueError` with a reason where it cannot be used.
        parse: from text on the command line to what `check` takes; raises `ValueError` too.
    """

    default: Any
    accepted: str
    check: Callable[[Any], Any]
    parse: Callable[[str], Any] = str


@dataclass(frozen=True)
class CliConfig:
    """The command line's settings.

    Attributes:
        api_url: the platform's address, without a slash at its end.
        timeout_ms: how long one request may take.
        retries: how often an upload is tried again.
        default_env: development, staging or production.
    """

    api_url: str
    timeout_ms: int
    retries: int
    default_env: str

    @property
    def timeout_s(self) -> float:
        """How long one request may take, in seconds."""
        return self.timeout_ms / 1000

    @classmethod
    def load(
        cls, path: Path | None = None, environ: Mapping[str, str] = os.environ, api_url: str | None = None
    ) -> CliConfig:
        """The settings from the environment, the file and the defaults.

        Args:
            path: the file; by default the user's.
            environ: `CIRRON_API_ENDPOINT` in it goes before the file.
            api_url: goes before both; checked already.

        Raises:
            CirronConfigError: the file or a value cannot be used; the message names the value and the way out.

        Example:
            >>> CliConfig.load().timeout_ms
            30000
        """
        path = path or config_path()
        document = read_config_file(path)
        if api_url is not None:
            document["apiUrl"] = api_url
        elif environ.get(API_URL_VARIABLE):
            document["apiUrl"] = checked_variable(environ[API_URL_VARIABLE])
        values = [checked_value(path, name, document.get(name, key.default)) for name, key in KEYS.items()]
        return cls(*values)


def config_path() -> Path:
    """The user's config file, which may not exist.

    Raises:
        CirronConfigError: the user has no home directory.
    """
    path = user_config_file()
    if path is None:
        raise CirronConfigError("there is no home directory for ~/.cirron/config.json: set HOME")
    return path


def checked_value(path: Path, name: str, value: Any) -> Any:
    """The value of a key in the file, in its own type.

    Raises:
        CirronConfigError: it cannot be used.
    """
    key = KEYS[name]
    try:
        return key.check(value)
    except ValueError as error:
        raise CirronConfigError(
            f"{path}: {name} {error}; accepted is {key.accepted}. "
            f"Correct it with `cirron config --set {name}={key.default}`, or another value"
        ) from error


def parsed_value(name: str, text: str) -> Any:
    """A key's value from text on the command line.

    Raises:
        ValueError: it cannot be used; the message names the key and what is accepted.
    """
    key = KEYS[name]
    try:
        return key.check(key.parse(text))
    except ValueError as error:
        raise ValueError(f"{name} {error}; accepted is {key.accepted}") from error


def checked_api_url(value: Any) -> str:
    """The address of a platform.

    Raises:
        ValueError: it cannot be used. The address is not shown, as what is wrong with it may be a password in it.
    """
    if not isinstance(value, str):
        raise ValueError(f"is of type {type(value).__name__}")  # noqa: TRY004 - callers expect one kind of error
    try:
        return checked_endpoint(value)
    except ValueError as error:
        raise ValueError(f"cannot be used: {str(error).partition(';')[0]}") from error


def checked_variable(value: str) -> str:
    """The address of a platform that the environment gives.

    Raises:
        CirronConfigError: it cannot be used.
    """
    try:
        return checked_api_url(value)
    except ValueError as error:
        raise CirronConfigError(
            f"{API_URL_VARIABLE} {error}: unset it, or set it to a URL such as https://app.cirron.com"
        ) from error


def _whole_number(minimum: int, maximum: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise ValueError(f"is {reprlib.repr(value)}")
        return value

    return check


def _digits(text: str) -> int | str:
    """The number in the text; the text itself, for the check to show, where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


def _environment(value: Any) -> str:
    if value not in ENVIRONMENTS:
        raise ValueError(f"is {reprlib.repr(value)}")
    return str(value)


KEYS: dict[str, Key] = {
    "apiUrl": Key("https://app.cirron.com", "a URL such as https://app.cirron.com", checked_api_url),
    "timeout": Key(
        30_000, "a number of milliseconds from 1000 to 300000", _whole_number(1000, 300_000), _digits
    ),
    "retries": Key(3, "a number from 0 to 10", _whole_number(0, 10), _digits),
    "defaultEnv": Key("development", " or ".join(ENVIRONMENTS), _environment),
}
