"""Scopes that are phases as well, of a tracker that was asked for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from cirron._recorder import set_follower

Leave = Callable[[bool], tuple[tuple[str, Any], ...] | None]
Follow = Callable[[str], Leave | None]

_follow: weakref.WeakMethod[Follow] | None = None


def follow(method: Follow) -> None:
    """Have a method, whose object may go all the same, told of each scope from now on; another one is told no more."""
    global _follow
    _follow = weakref.WeakMethod(method)
    set_follower(_begin)


def stop_following(method: Follow) -> None:
    """It is told no more, if it was."""
    global _follow
    if _follow is not None and _follow() == method:
        _follow = None
        set_follower(None)


def _begin(name: str) -> Leave | None:
    method = _follow() if _follow is not None else None
    return None if method is None else method(name)
