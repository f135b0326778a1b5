"""The scope of an instance that is not recording."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class AnyScope(Protocol):
    """What the native scope and the idle one have in common."""

    def __enter__(self) -> object: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    def __call__(self, function: F, /) -> F: ...
    def _cancel(self) -> bool: ...
    def _place(self) -> tuple[str, int] | None: ...
    def _rename(self, name: str, /) -> None: ...
    def _number(self, index: int | None, /) -> None: ...
    def _summarize(self, name: str, value: bool | float | str, /) -> None: ...


class IdleScope:
    """Does nothing in a `with`; what it decorates asks at each call whether recording has begun."""

    __slots__ = ("_open_scope",)

    def __init__(self, open_scope: Callable[[], AbstractContextManager[object]]) -> None:
        self._open_scope = open_scope

    def __enter__(self) -> IdleScope:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def _cancel(self) -> bool:
        return True

    def _place(self) -> tuple[str, int] | None:
        return None

    def _rename(self, name: str) -> None: ...

    def _number(self, index: int | None) -> None: ...

    def _summarize(self, name: str, value: bool | float | str) -> None: ...

    def __call__(self, function: F) -> F:
        from cirron._recorder.decorate import decorate

        decorated: F = decorate(function, self._open_scope)
        return decorated
