"""SIGTERM for commands that have something to put in order before they end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Have SIGTERM do what Ctrl-C does, as `timeout` and job schedulers send it.

    Example:
        with stopped_by_sigterm():
            ...  # KeyboardInterrupt for either
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
