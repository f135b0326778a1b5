"""Checks of the arguments of `profile` and `Cirron`; whatever is wrong is said in the caller's own thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from cirron.errors import CirronDependencyError
from cirron.hooks import KNOWN
from cirron.settings import WITH_VALUES, check, checked

VALUE_PACKAGES = ("numpy", "safetensors", "ml_dtypes")


def check_profile(config: object, frameworks: object, snapshots: object, enabled: object) -> None:
    """Refuse arguments of `profile` that this version cannot act on.

    Raises:
        ValueError, TypeError: naming the argument and what is accepted.
    """
    if config is not None and not isinstance(config, dict):
        raise _wrong_type("config", config, "a dict of settings by name, or None")
    if not isinstance(enabled, bool):
        raise _wrong_type("enabled", enabled, "True or False")
    for name in _names("frameworks", frameworks):
        if name not in KNOWN:
            known = ", ".join(map(repr, KNOWN))
            raise ValueError(f"frameworks={frameworks!r}: accepted are None, and a list of any of {known}")
    check_snapshots(snapshots)


def check_snapshots(snapshots: object) -> None:
    """Refuse what is no mode of snapshots, or needs what is not installed; `...` stands for what the instance has.

    Raises:
        ValueError: naming what is accepted.
        CirronDependencyError: a mode that writes files of values, without the packages for that.
    """
    if snapshots is not None and snapshots is not ...:
        mode = check("snapshots", snapshots)
        if mode in WITH_VALUES:
            _require_packages(mode)


def _require_packages(mode: str) -> None:
    missing = [name for name in VALUE_PACKAGES if find_spec(name) is None]
    if missing:
        raise CirronDependencyError(
            f'snapshots="{mode}" needs {", ".join(missing)}: install cirron[snapshots], or use snapshots="stats"'
        )


def profile_settings(
    config: Mapping[str, Any] | None,
    snapshots: object,
    sample_rate: object,
    flush_interval: object,
    path: object,
    output: object,
) -> dict[str, Any]:
    """The settings that a call of `profile` states; its own arguments go before what `config` says.

    Raises:
        ValueError, TypeError: naming the argument and what is accepted.
    """
    given = checked(config or {})
    if snapshots is not ...:
        given["snapshots"] = snapshots
    if sample_rate is not None:
        given["sample_rate"] = check("sample_rate", sample_rate)
    if flush_interval is not None:
        given["flush_interval"] = check("flush_interval", flush_interval)
    if path is not None:
        given["output_dir"] = check("output_dir", path, argument="path")
    if output is not None:
        given["output"] = check("output", output)
    return given


def _names(argument: str, value: object) -> Sequence[object]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise _wrong_type(argument, value, "a list of names, or None")
    return value


def _wrong_type(argument: str, value: object, accepted: str) -> TypeError:
    return TypeError(f"{argument} is of type {type(value).__name__}; accepted is {accepted}")
