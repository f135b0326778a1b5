"""Where a setting comes from: an argument, else the environment, else the config file, else its default."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from cirron.config_file import read_config_file
from cirron.errors import CirronConfigError

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

SNAPSHOTS = ("stats", "sampled", "full")
WITH_VALUES = SNAPSHOTS[1:]
OUTPUTS = ("spool", "log", "stdout", "none")


class Secret(str):
    """Text that does not show itself in a `repr`, and so neither in a traceback nor in a log."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True)
class Settings:
    """All settings of one session, resolved."""

    api_key: Secret | None = None
    api_endpoint: str = "https://app.cirron.com"
    workspace_id: str | None = None
    run_id: str | None = None
    pipeline_id: str | None = None
    deployment_id: str | None = None
    output_dir: Path = Path(".cirron")
    output: tuple[str, ...] = ("spool",)
    flush_interval: float = 1.0
    spool_max_bytes: int = GIB
    ring_marks: int = 65536
    batch_max_bytes: int = 16 * MIB
    fsync: bool = False
    snapshots: str | None = "stats"
    sample_rate: float = 0.01
    snapshot_max_bytes: int = 4 * GIB

    @property
    def spool_dir(self) -> Path:
        """Where sealed batches lie."""
        return self.output_dir / "spool"

    @property
    def journal_dir(self) -> Path:
        """Where live sessions keep their records."""
        return self.output_dir / "journal"


ENVIRONMENT = {
    "CIRRON_API_KEY": "api_key",
    "CIRRON_API_ENDPOINT": "api_endpoint",
    "CIRRON_WORKSPACE_ID": "workspace_id",
    "CIRRON_RUN_ID": "run_id",
    "CIRRON_PIPELINE_ID": "pipeline_id",
    "CIRRON_DEPLOYMENT_ID": "deployment_id",
}

CONFIG_FILE = {"apiKey": "api_key", "apiUrl": "api_endpoint", "workspaceId": "workspace_id"}

Given = Mapping[str, Any]


def resolve(given: Given, environ: Mapping[str, str], config_file: Path | None) -> tuple[Settings, list[str]]:
    """The settings of a session, and warnings about what had to be passed over.

    Args:
        given: explicit settings by name, as `checked` returned them.
        environ: the environment; an empty variable counts as unset.
        config_file: shared with the command line; it may be missing.
    """
    from_file, warnings = _from_config_file(config_file)
    from_environ = {name: environ[key] for key, name in ENVIRONMENT.items() if environ.get(key)}
    found = {**from_file, **from_environ, **given}
    if "api_key" in found:
        found["api_key"] = Secret(found["api_key"])
    settings = Settings(**found)
    # Absolute from the start: the program may change its working directory while it records.
    return replace(settings, output_dir=settings.output_dir.absolute()), warnings


def _from_config_file(path: Path | None) -> tuple[dict[str, Any], list[str]]:
    if path is None:
        return {}, []
    try:
        document = read_config_file(path)
    except CirronConfigError as error:
        return {}, [f"{error}; until then the defaults are used"]
    known = {name: document[key] for key, name in CONFIG_FILE.items() if key in document}
    usable = {name: value for name, value in known.items() if isinstance(value, str) and value}
    return usable, [
        f"{path}: {key} is of type {type(document[key]).__name__}, where text is expected; it is ignored: "
        "correct it or remove it"
        for key, name in CONFIG_FILE.items()
        if name in known and name not in usable
    ]


# ---- checking what the user passed ----


def checked(given: Given) -> dict[str, Any]:
    """The settings in `given` that are not None, checked and in the types of `Settings`.

    Raises:
        ValueError: an unknown setting or a value out of range; the message names what is accepted.
        TypeError: a value of the wrong type.
    """
    unknown = sorted(str(name) for name in given if name not in CHECKS)
    if unknown:
        raise ValueError(
            f"unknown setting {', '.join(map(repr, unknown))}; accepted are: {', '.join(CHECKS)}"
        )
    return {name: check(name, value) for name, value in given.items() if value is not None}


def check(setting: str, value: Any, argument: str | None = None) -> Any:
    """`value` in the type of the setting; errors name the `argument` where that has another name."""
    return CHECKS[setting](argument or setting, value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_type(name, value, "a string")
    if not value:
        raise ValueError(f"{name}='' is empty; accepted is a string with at least one character")
    return value


def _secret(name: str, value: Any) -> Secret:
    return Secret(_text(name, value))


def _path(name: str, value: Any) -> Path:
    if not isinstance(value, (str, os.PathLike)):
        raise _wrong_type(name, value, "a path (str or os.PathLike)")
    if not str(value):
        raise ValueError(f"{name}='' is empty; accepted is the path of a folder, which may not exist yet")
    return Path(value).expanduser()


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type(name, value, "True or False")
    return value


def _seconds(minimum: float, maximum: float) -> Callable[[str, Any], float]:
    def check(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _wrong_type(name, value, "a number of seconds")
        if not (math.isfinite(value) and minimum <= value <= maximum):
            raise ValueError(f"{name}={value!r} is out of range; accepted are {minimum} to {maximum} seconds")
        return float(value)

    return check


def _count(minimum: int, maximum: int) -> Callable[[str, Any], int]:
    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_type(name, value, "a whole number")
        if not minimum <= value <= maximum:
            raise ValueError(f"{name}={value!r} is out of range; accepted are {minimum} to {maximum}")
        return value

    return check


def _share(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong_type(name, value, "a number")
    if not 0 < value <= 1:
        raise ValueError(f"{name}={value!r} is out of range; accepted are numbers above 0 and up to 1")
    return float(value)


def _sinks(name: str, value: Any) -> tuple[str, ...]:
    sinks = (value,) if isinstance(value, str) else value
    if not isinstance(sinks, (list, tuple)):
        raise _wrong_type(name, value, "a name, a list of names, or None")
    alone = "none" in sinks and len(sinks) > 1
    if alone or not sinks or any(sink not in OUTPUTS for sink in sinks):
        accepted = ", ".join(map(repr, OUTPUTS))
        raise ValueError(
            f"{name}={value!r}: accepted are {accepted}, a list of these without 'none', and None"
        )
    return tuple(sinks)


def _snapshots(name: str, value: Any) -> str:
    if value not in SNAPSHOTS:
        accepted = ", ".join(map(repr, SNAPSHOTS))
        raise ValueError(f"{name}={value!r}: accepted are {accepted}, and None for none")
    return str(value)


def _wrong_type(name: str, value: Any, accepted: str) -> TypeError:
    return TypeError(f"{name} is of type {type(value).__name__}; accepted is {accepted}")


CHECKS: dict[str, Callable[[str, Any], Any]] = {
    **{field.name: _text for field in fields(Settings)},
    "api_key": _secret,
    "output_dir": _path,
    "output": _sinks,
    "flush_interval": _seconds(0.01, 3600),
    "spool_max_bytes": _count(MIB, 1024 * 1024 * GIB),
    "ring_marks": _count(64, 4_194_304),
    "batch_max_bytes": _count(64 * KIB, 1024 * MIB),
    "fsync": _switch,
    "snapshots": _snapshots,
    "sample_rate": _share,
    "snapshot_max_bytes": _count(MIB, 1024 * 1024 * GIB),
}
