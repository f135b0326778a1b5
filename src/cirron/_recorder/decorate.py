"""A scope around each call of a function, whatever kind of function it is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

OpenScope = Callable[[], AbstractContextManager[object]]
Function = Callable[..., Any]


def decorate(function: Any, open_scope: OpenScope) -> Any:
    """`function` with a scope of its own around every call.

    A generator's scope opens at its first `next` and stays open until the generator ends or is closed.

    Args:
        function: a function or method: plain, `async`, generator or async generator.
        open_scope: makes the scope of one call.

    Raises:
        TypeError: `function` cannot be called, or is a class.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(decorate(function.__func__, open_scope))
    _check(function)
    wrapper: Function = functools.wraps(function)(_wrapper_for(function)(function, open_scope))
    return wrapper


def _check(function: Any) -> None:
    if inspect.isclass(function):
        raise TypeError(
            f"a scope decorates functions, not the class {function.__qualname__}: "
            "put it on the methods to be timed"
        )
    if not callable(function):
        raise TypeError(
            f"a scope decorates functions, not {_described(function)}: "
            "write `with scope(name):` for a block, or put the decorator directly above `def`"
        )


def _described(value: Any) -> str:
    return f"an object of type {type(value).__name__}"


def _wrapper_for(function: Any) -> Callable[[Function, OpenScope], Function]:
    if _is(inspect.iscoroutinefunction, function):
        return _around_coroutine
    if _is(inspect.isasyncgenfunction, function):
        return _around_async_generator
    if _is(inspect.isgeneratorfunction, function):
        return _around_generator
    return _around_call


def _is(kind: Callable[[Any], bool], function: Any) -> bool:
    return kind(function) or kind(getattr(function, "__call__", None))  # noqa: B004 - an object's `async def __call__`


def _around_call(function: Function, open_scope: OpenScope) -> Function:
    def call(*args: Any, **kwargs: Any) -> Any:
        with open_scope():
            return function(*args, **kwargs)

    return call


def _around_coroutine(function: Callable[..., Awaitable[Any]], open_scope: OpenScope) -> Function:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with open_scope():
            return await function(*args, **kwargs)

    return call


def _around_generator(function: Callable[..., Generator[Any, Any, Any]], open_scope: OpenScope) -> Function:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with open_scope():
            return (yield from function(*args, **kwargs))

    return call


def _around_async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], open_scope: OpenScope
) -> Function:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with open_scope():
            inner = function(*args, **kwargs)
            step: Awaitable[Any] = anext(inner)
            try:
                while True:
                    item = await step
                    try:
                        step = inner.asend((yield item))
                    except GeneratorExit:
                        raise  # the caller's aclose(); `finally` passes it on
                    except BaseException as error:  # noqa: BLE001 - thrown in by the caller, and meant for `inner`
                        step = inner.athrow(error)
            except StopAsyncIteration:
                return
            finally:
                await inner.aclose()

    return call
