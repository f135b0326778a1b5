"""Fields of objects and of dicts alike: a client library gives the one, the bare JSON of a server the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def field(of: Any, name: str) -> Any:
    """The field, or None where there is none."""
    return of.get(name) if isinstance(of, Mapping) else getattr(of, name, None)


def count(of: Any, *names: str) -> int | None:
    """The first of these fields that is a count."""
    for name in names:
        value = field(of, name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return int(value)
    return None


def text(of: Any, *names: str) -> str | None:
    """The first of these fields that is a text."""
    for name in names:
        value = field(of, name)
        if isinstance(value, str) and value:
            return str(value)
    return None


def items(of: Any, name: str) -> list[Any]:
    """The field, where it is a list or a tuple."""
    value = field(of, name)
    return list(value) if isinstance(value, (list, tuple)) else []
