"""Scopes that are phases as well, of a tracker that was asked for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cirron._recorder import set_follower

if TYPE_CHECKING:
    from stormlog.tracker import MemoryTracker

Leave = Callable[[bool], tuple[tuple[str, Any], ...] | None]

_follower: weakref.ref[MemoryTracker] | None = None


def follow(tracker: MemoryTracker) -> None:
    """Have a tracker, which may go all the same, told of each scope from now on; another one is told no more."""
    global _follower
    _follower = weakref.ref(tracker)
    set_follower(_begin)


def stop_following(tracker: MemoryTracker) -> None:
    """It is told no more, if it was."""
    global _follower
    if _follower is not None and _follower() is tracker:
        _follower = None
        set_follower(None)


def _begin(name: str) -> Leave | None:
    tracker = _follower() if _follower is not None else None
    return None if tracker is None else tracker._follow(name)
