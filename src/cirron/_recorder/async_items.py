"""The items of `async for x in cirron.batches(...)`, each in its scope."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol


class _Steps(Protocol):
    """What `native.LoopIterator` does from one item to the next; when it dies, it closes the scope that is open."""

    def _begin(self) -> bool: ...
    def _got(self) -> None: ...
    def _got_none(self, error: BaseException) -> None: ...
    def close(self) -> None: ...


class AsyncItems:
    """An iterator with the items of another one. It is no generator, so that `break` ends its scope at once."""

    __slots__ = ("_iterator", "_steps")

    def __init__(self, steps: _Steps, iterator: AsyncIterator[Any]) -> None:
        self._steps = steps
        self._iterator = iterator

    def __aiter__(self) -> AsyncItems:
        return self

    async def __anext__(self) -> Any:
        if not self._steps._begin():
            raise StopAsyncIteration
        try:
            item = await anext(self._iterator)
        except BaseException as error:
            self._steps._got_none(error)
            raise
        self._steps._got()
        return item

    async def aclose(self) -> None:
        """End the open scope and the iteration, as of an asynchronous generator."""
        self._steps.close()
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._iterator, name)
