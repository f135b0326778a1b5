"""In which precision autocast has operations run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron._recorder.idle import AnyScope
    from cirron.hooks.target import Target

_DEVICES = ("cuda", "xpu", "mps", "hpu", "cpu")  # where several are on, the first does the work

_is_any_on = torch._C._is_any_autocast_enabled


def with_precision(target: Target) -> Callable[..., AnyScope | None]:
    """As `scope_unless`; a scope that opens while autocast is on says with which type."""
    scope_unless, scope = target.scope_unless, target.scope

    def open_unless(name: str, unless: tuple[str, ...], names: tuple[str, ...]) -> Any:
        plain = scope_unless(name, unless, names)
        if plain is None or not _is_any_on() or (dtype := _autocast_dtype()) is None:
            return plain
        return scope(name, autocast=dtype)

    return open_unless


def _autocast_dtype() -> str | None:
    """Such as `bfloat16`; None where it is off."""
    device = next((each for each in _DEVICES if torch.is_autocast_enabled(each)), None)
    return None if device is None else str(torch.get_autocast_dtype(device)).removeprefix("torch.")
