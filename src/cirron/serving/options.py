"""How the requests of a decorated function are recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Options(NamedTuple):
    """The settings of one decorated function.

    Attributes:
        sample_rate: the share of requests to keep.
        slow_s: requests that last as long are kept in any case; None for none.
    """

    sample_rate: float = 1.0
    slow_s: float | None = None


def options_from(config: Mapping[str, Any] | None, arguments: Mapping[str, Any]) -> tuple[Options, list[str]]:
    """The options that are stated, and what is wrong with others, which are left at their defaults.

    Args:
        config: options by name.
        arguments: the same; what is None is not stated.
    """
    if config is not None and not isinstance(config, Mapping):
        wrong = f"config is of type {type(config).__name__}; accepted is a dict of options by name, or None"
        config, doubts = None, [wrong]
    else:
        doubts = []
    stated = {**(config or {}), **{name: value for name, value in arguments.items() if value is not None}}
    accepted = {}
    for name, value in stated.items():
        doubt = _doubt(name, value)
        if doubt is None:
            accepted[name] = value
        else:
            doubts.append(doubt)
    return Options(**accepted), doubts


def _doubt(name: str, value: object) -> str | None:
    if name not in CHECKS:
        return f"there is no option {name!r}; accepted are {', '.join(CHECKS)}"
    expected, is_accepted = CHECKS[name]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return None if is_number and is_accepted(value) else f"{name}={value!r}; accepted is {expected}"


CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "sample_rate": ("a number from 0 to 1", lambda rate: 0 <= rate <= 1),
    "slow_s": ("a number of seconds, 0 or more", lambda seconds: 0 <= seconds < math.inf),
}
