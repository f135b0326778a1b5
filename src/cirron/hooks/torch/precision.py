"""In which precision autocast has operations run."""

from __future__ import annotations

import torch

_DEVICES = ("cuda", "xpu", "mps", "hpu", "cpu")  # where several are on, the first does the work

is_any_autocast_on = torch._C._is_any_autocast_enabled


def autocast_dtype() -> str | None:
    """Such as `bfloat16`; None where it is off."""
    device = next((each for each in _DEVICES if torch.is_autocast_enabled(each)), None)
    return None if device is None else str(torch.get_autocast_dtype(device)).removeprefix("torch.")
