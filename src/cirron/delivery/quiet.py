"""Keeps what an HTTP library logs about our requests out of the user's logs."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks")


class Quiet(logging.Filter):
    """Drops the library's records of a thread while that thread is inside `here()`.

    Loggers and levels are the user's, who may use the same library; nobody wants a line a second about ours,
    and a handler that raises must not make a delivery fail.
    """

    def __init__(self) -> None:
        super().__init__()
        self._threads: set[int] = set()

    def install(self) -> None:
        """Begin; to be undone by `remove`."""
        for name in LOGGERS:
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        """Leave the loggers as they were found."""
        for name in LOGGERS:
            logging.getLogger(name).removeFilter(self)

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Drop the records of the calling thread meanwhile."""
        thread_id = threading.get_ident()
        self._threads.add(thread_id)
        try:
            yield
        finally:
            self._threads.discard(thread_id)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes."""
        return threading.get_ident() not in self._threads
