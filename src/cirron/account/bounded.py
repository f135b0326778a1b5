"""Ends the wait for something that may take for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def within(limit_s: float, work: Callable[[], Result]) -> Result:
    """The result of `work`, which runs in a thread of its own; Ctrl-C ends the wait as well.

    The timeouts of an HTTP library bound each step of an exchange, none of them the look-up of a host's name or
    an answer that comes byte by byte. The thread of work that was given up ends with the process.

    Raises:
        TimeoutError: it took longer than the limit.
        Exception: whatever `work` raised.

    Example:
        address = within(2.0, lambda: socket.gethostbyname("app.cirron.com"))
    """
    results: list[Result] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - it goes to whoever waits
            errors.append(error)

    thread = threading.Thread(target=run, name="cirron-request", daemon=True)
    thread.start()
    thread.join(limit_s)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"timed out after {round(limit_s * 1000)}ms")
    return results[0]
