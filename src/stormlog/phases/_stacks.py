"""Which phases are open, and for whom: each thread and each asyncio task has its own stacks.

A stack belongs to the thread itself, not to its number, which a later thread may be given too; so a thread that
dies with phases open leaves them to nobody. Only its owner ever touches a stack: there is no lock.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from msgspec import Struct

Key = tuple[str, int]
"""The session and the rank that a stack is for."""


class Era(Struct, eq=False):
    """The time from one reset of a recorder to the next."""

    is_over: bool = False


class OpenPhase(Struct, eq=False):
    """A phase that was entered; `facts` is what both of its boundaries say of it."""

    scope_id: str
    path: tuple[str, ...]
    facts: dict[str, Any]
    key: Key
    era: Era
    around: OpenPhase | None
    was_left: bool = False


Stacks = dict[Key, list[OpenPhase]]

_innermost: ContextVar[OpenPhase | None] = ContextVar("stormlog phase", default=None)
"""The phase last entered in this context, so that a new task knows below which phase it was created."""


class OfThread(threading.local):
    """What belongs to the thread that asks; made when it first does."""

    def __init__(self) -> None:
        self.thread = threading.current_thread()
        self.stacks: Stacks = {}


class Owners:
    """The stacks of everybody who entered a phase since the recorder's last reset."""

    def __init__(self) -> None:
        self.era = Era()
        self.of_thread = OfThread()
        self._of_task: WeakKeyDictionary[object, Stacks] = WeakKeyDictionary()

    def here(self) -> Stacks:
        """The stacks of whoever calls: of the task that runs, or else of the thread."""
        loop = _running_loop()
        if loop is not None and (task := _current_task(loop)) is not None:
            return self._of_task.setdefault(task, {})
        return self.of_thread.stacks

    def within_reach(self) -> list[Stacks]:
        """The stacks of all tasks that still exist, and of this thread outside of tasks."""
        tasks = [task for ref in self._of_task.keyrefs() if (task := ref()) is not None]
        return [*(self._of_task.get(task, {}) for task in tasks), self.of_thread.stacks]


remember = _innermost.set
"""Have tasks that are created from here on begin below a phase, as long as it is open."""


def around() -> OpenPhase | None:
    """The innermost phase, of any recorder, that was entered in this context or before it was copied."""
    phase = _innermost.get()
    if phase is None:
        return None
    outer = phase.around
    while outer is not None and (outer.was_left or outer.era.is_over):
        outer = outer.around
    phase.around = outer  # or tasks that each create the next one would keep a chain of all phases before
    return outer if phase.was_left or phase.era.is_over else phase


def inherited(phase: OpenPhase | None, key: Key, era: Era) -> OpenPhase | None:
    """Of `phase` and those around it the one below which a task begins that has none open itself."""
    while phase is not None and (phase.was_left or phase.era is not era or phase.key != key):
        phase = phase.around
    return phase


def _no_loop_yet() -> Any:
    """None as long as nobody has imported asyncio: then there is no loop, and nothing is imported to find out."""
    global _running_loop, _current_task
    if "asyncio" not in sys.modules:
        return None
    import asyncio

    _current_task = asyncio.current_task
    _running_loop = asyncio._get_running_loop
    return _running_loop()


_running_loop: Callable[[], Any] = _no_loop_yet
_current_task: Callable[[Any], object | None]
