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

    @property
    def is_open(self) -> bool:
        """Neither left nor dropped by a reset."""
        return not (self.was_left or self.era.is_over)


Stacks = dict[Key, list[OpenPhase]]

_innermost: ContextVar[OpenPhase | None] = ContextVar("stormlog phase", default=None)
"""The phase last entered in this context, so that a new task knows below which phase it was created."""


class Owners:
    """The stacks of everybody who entered a phase since the recorder's last reset."""

    def __init__(self) -> None:
        self._of_thread = threading.local()
        self._of_task: WeakKeyDictionary[object, Stacks] = WeakKeyDictionary()

    def here(self) -> Stacks:
        """The stacks of whoever calls: of the task that runs, or else of the thread."""
        task = running_task()
        if task is not None:
            return self._of_task.setdefault(task, {})
        try:
            stacks: Stacks = self._of_thread.stacks
        except AttributeError:
            stacks = self._of_thread.stacks = {}
        return stacks

    def within_reach(self) -> list[Stacks]:
        """The stacks of all tasks that still exist, and of this thread outside of tasks."""
        return [*self._of_task.values(), getattr(self._of_thread, "stacks", {})]


remember = _innermost.set
"""Have tasks that are created from here on begin below a phase, as long as it is open."""


def around() -> OpenPhase | None:
    """The innermost phase, of any recorder, that was entered in this context or before it was copied."""
    phase = _innermost.get()
    if phase is None:
        return None
    # Closed ones are let go of, or tasks that create the next ones would keep a chain of them.
    while phase.around is not None and not phase.around.is_open:
        phase.around = phase.around.around
    return phase if phase.is_open else phase.around


def inherited(phase: OpenPhase | None, key: Key, era: Era) -> OpenPhase | None:
    """Of `phase` and those around it the one below which a task begins that has none open itself."""
    while phase is not None and not (phase.is_open and phase.era is era and phase.key == key):
        phase = phase.around
    return phase


def _no_loop() -> None:
    return None


_running_loop: Callable[[], Any] = _no_loop
_current_task: Callable[[Any], object | None]


def running_task() -> object | None:
    """The asyncio task that calls. Nothing is imported for it: without asyncio there is none."""
    if _running_loop is _no_loop:
        if "asyncio" not in sys.modules:
            return None
        _find_asyncio()
    loop = _running_loop()
    return None if loop is None else _current_task(loop)


def _find_asyncio() -> None:
    global _running_loop, _current_task
    import asyncio

    _current_task = asyncio.current_task
    _running_loop = asyncio._get_running_loop
