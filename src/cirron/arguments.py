"""Checks of the arguments of `profile` and `Cirron`; whatever is wrong is said in the caller's own thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cirron.hooks import KNOWN
from cirron.settings import check, checked


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
    """Refuse what is no mode of snapshots; `...` stands for what the instance has.

    Raises:
        ValueError: naming what is accepted.
    """
    if snapshots is not None and snapshots is not ...:
        check("snapshots", snapshots)


def profile_settings(
    config: Mapping[str, Any] | None, snapshots: object, flush_interval: object, path: object, output: object
) -> dict[str, Any]:
    """The settings that a call of `profile` states; its own arguments go before what `config` says.

    Raises:
        ValueError, TypeError: naming the argument and what is accepted.
    """
    given = checked(config or {})
    if snapshots is not ...:
        given["snapshots"] = snapshots
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
