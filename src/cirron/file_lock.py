"""Lets one process at a time change something that several share."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cirron.errors import CirronError

RETRY_S = 0.02
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


@contextmanager
def locked(path: Path, wait_s: float) -> Iterator[None]:
    """Hold the lock on a file, which is made for that purpose and stays.

    A file system without locks gives none, and then two changes at the same instant may lose one of them.

    Args:
        path: the lock file; its folder exists.
        wait_s: for how long another process may hold it before this one gives up.

    Raises:
        CirronError: another process has held it for that long.
        OSError: the file cannot be had.

    Example:
        with locked(Path("config.json.lock"), wait_s=10):
            ...
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, path, wait_s)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, wait_s: float) -> None:
    deadline_s = time.monotonic() + wait_s
    while not _try_to_take(descriptor):
        if time.monotonic() >= deadline_s:
            raise CirronError(
                f"another cirron process has held {path} for {wait_s:.0f} s: see whether it hangs or is stopped, "
                "end it, and try again"
            )
        time.sleep(RETRY_S)


def _try_to_take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True
