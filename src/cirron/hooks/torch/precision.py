"""In which precision autocast has operations run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron._recorder.idle import AnyScope
    from cirron.hooks.target import Target

_DEVICES = ("cuda", "xpu", "mps", "hpu", "cpu")  # where several are on, the first does the work

is_any_autocast_on = torch._C._is_any_autocast_enabled


def with_precision(target: Target) -> Callable[[str], AnyScope]:
    """Makes scopes that say with which type autocast has their operations run."""
    scope = target.scope

    def make(name: str) -> AnyScope:
        dtype = _autocast_dtype()
        return scope(name) if dtype is None else scope(name, autocast=dtype)

    return make


def _autocast_dtype() -> str | None:
    """Such as `bfloat16`; None where it is off."""
    device = next((each for each in _DEVICES if torch.is_autocast_enabled(each)), None)
    return None if device is None else str(torch.get_autocast_dtype(device)).removeprefix("torch.")
