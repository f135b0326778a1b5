"""What a forked child must let go of, and what a fork must wait for."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator
from typing import Protocol

MAX_FORK_DELAY_S = 5.0


class Abandoned(Protocol):
    """Holds files or sockets that a forked child inherits."""

    def abandon(self) -> None:
        """Close this process's copies; the parent's must not notice. No lock may be taken."""


_held: weakref.WeakSet[Abandoned] = weakref.WeakSet()
_in_the_way = threading.Lock()
_forking = threading.local()


def abandon_in_children(holder: Abandoned) -> None:
    """Have `holder.abandon()` called in every child forked from here on."""
    _held.add(holder)


@contextlib.contextmanager
def forks_put_off() -> Iterator[None]:
    """Keep other threads from forking while this one imports a module or writes to standard output.

    Both are done under locks of Python's own. A child forked in the middle inherits them locked for good, and
    its next import of that module, or its next print, would wait for ever.
    """
    with _in_the_way:
        yield


def _before_fork() -> None:
    _forking.has_lock = False  # for a signal that comes before the next line has come to its end
    # Bounded, in case the other thread waits for a module that this one is importing, or for a slow reader.
    _forking.has_lock = _in_the_way.acquire(timeout=MAX_FORK_DELAY_S)


def _after_fork_in_parent() -> None:
    if _forking.has_lock:
        _in_the_way.release()


def _after_fork_in_child() -> None:
    global _in_the_way
    _in_the_way = threading.Lock()
    for holder in list(_held):
        holder.abandon()
    _held.clear()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
