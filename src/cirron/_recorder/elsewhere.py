"""What `cirron._recorder.native` consists of in a subinterpreter: the same names, and nothing is recorded.

The native core belongs to the main interpreter. Its state is the process's, while objects and the numbers
of threads are an interpreter's: two that record would mix their records, and free each other's memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, NoReturn

from cirron._recorder.idle import IdleScope as Scope

__all__ = [
    "GarbageCallback",
    "Inference",
    "Loop",
    "Passage",
    "Recorded",
    "Recorder",
    "Recovered",
    "Scope",
    "Steps",
    "WhileFinite",
    "add_memory",
    "arm_starter",
    "array_stats",
    "batches",
    "call_in_main_thread",
    "current_request",
    "epochs",
    "innermost",
    "mark",
    "peek",
    "recover",
    "scope",
    "scope_unless",
    "set_default",
    "set_follower",
    "set_starter",
]

_WHY = "cirron works in the main interpreter only, and this is a subinterpreter"


class Loop:
    """The iterable that it was made of, which may also be asked for its next item."""

    def __init__(self, iterable: Any) -> None:
        self._iterable = iterable
        self._started: Iterator[Any] | None = None
        self._awaited: AsyncIterator[Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iterable) if self._started is None else self._started

    def __next__(self) -> Any:
        if self._started is None:
            self._started = iter(self._iterable)
        return next(self._started)

    def __len__(self) -> int:
        return len(self._iterable)

    def __aiter__(self) -> AsyncIterator[Any]:
        return aiter(self._iterable) if self._awaited is None else self._awaited

    def __anext__(self) -> Awaitable[Any]:
        if self._awaited is None:
            self._awaited = aiter(self._iterable)
        return anext(self._awaited)

    def __reversed__(self) -> Iterator[Any]:
        backwards: Iterator[Any] = reversed(self._iterable)
        return backwards

    def __getitem__(self, key: Any) -> Any:
        return self._iterable[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._iterable[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._iterable[key]

    def __contains__(self, value: object) -> bool:
        return value in self._iterable

    def __bool__(self) -> bool:
        return bool(self._iterable)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._iterable, name)


class _Unmade:
    """A type that has no objects here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(f"{_WHY}: call profile() in the main interpreter to record there")


class Recorder(_Unmade):
    """A session of the main interpreter."""


class Passage(_Unmade):
    """A signal handler of the main interpreter."""


class GarbageCallback(_Unmade):
    """Never made here."""


class Recorded(_Unmade):
    """Never made here."""


class Recovered(_Unmade):
    """What was sealed by the main interpreter."""


class Steps(_Unmade):
    """Never made here."""


class WhileFinite(_Unmade):
    """Never made here."""


def scope(*args: Any, **kwargs: Any) -> Scope:
    """A scope that does nothing."""
    return Scope(scope)


def mark(*args: Any, **kwargs: Any) -> None:
    """Nothing."""


def epochs(iterable: Iterable[Any]) -> Loop:
    """The same items."""
    return Loop(iterable)


def batches(iterable: Iterable[Any]) -> Loop:
    """The same items."""
    return Loop(iterable)


def add_memory(record: bytes) -> None:
    """Record nothing."""


def Inference(function: Any, *args: Any) -> Any:  # noqa: N802 - a type in the core
    """The function itself."""
    return function


def current_request() -> None:
    """None, as nothing is recorded."""


def innermost(names: tuple[str, ...]) -> None:
    """None, as no scope is open."""


def scope_unless(
    name: str, unless: tuple[str, ...], names: tuple[str, ...], index: int | None = None, /
) -> None:
    """None, as nothing is recorded."""


def recover(journal_path: str, spool_dir: str, fsync: bool = False) -> NoReturn:
    """Nothing is sealed from here.

    Raises:
        OSError: always; the journal stays.
    """
    raise OSError(f"{_WHY}: journals are sealed there, or by any `cirron traces` command")


def peek(journal_path: str) -> NoReturn:
    """Nothing is read from here.

    Raises:
        OSError: always.
    """
    raise OSError(f"{_WHY}: journals are read there, or by any `cirron traces` command")


def array_stats(address: int, dtype: str, shape: tuple[int, ...], strides: tuple[int, ...]) -> NoReturn:
    """No snapshot is taken here.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(f"{_WHY}: snapshots are taken there")


def set_default(recorder: None) -> None:
    """Nothing: what the main interpreter records into is its own affair."""


def set_follower(follower: Any) -> None:
    """Nothing."""


def set_starter(starter: Callable[[], None] | None) -> None:
    """Nothing, as no session begins here."""


def arm_starter() -> None:
    """Nothing, as no session begins here."""


def call_in_main_thread(function: Callable[[], object]) -> bool:
    """False: the main thread is another interpreter's."""
    return False
