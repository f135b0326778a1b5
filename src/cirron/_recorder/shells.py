"""What a caller gets of a request that hands over control: a true coroutine, generator or asynchronous generator.

Each passes everything on to a `RequestRun`, which has the body go on, and knows when it does.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Generator
from typing import Any


async def coroutine(run: Any) -> Any:
    """A coroutine that comes to what `run.inner` does."""
    return await run


def generator(run: Any) -> Generator[Any, Any, Any]:
    """A generator of what `run.inner` yields."""
    return (yield from run)


async def async_generator(run: Any) -> AsyncGenerator[Any, Any]:
    """An asynchronous generator of what `run.inner` yields."""
    inner = run.inner
    step = _first_step(inner)
    while True:
        try:
            item = await run.step(step)
        except StopAsyncIteration:
            return
        try:
            step = inner.asend((yield item))
        except GeneratorExit:
            await run.last_step(inner.aclose())
            raise
        except BaseException as error:  # noqa: BLE001 - thrown in by the caller, and meant for `inner`
            step = inner.athrow(error)


def _first_step(inner: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """`anext(inner)`, of which an event loop hears nothing: it looks after our generator, and that after `inner`."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return inner.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)
