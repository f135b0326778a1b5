"""How many bytes a spool takes: one number that the processes sharing it keep together, in a file of 24 bytes."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_WAIT_S = 0.05  # others hold the lock for microseconds, or for as long as it takes to make room

_LAYOUT = struct.Struct("<8sqq")  # magic, bytes, the same inverted bit by bit
_MAGIC = b"cirron-u"
_UNKNOWN = bytes(_LAYOUT.size)


class HeldUsage:
    """The number, while this thread alone may change it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> int | None:
        """The number; None while nobody has counted yet.

        Raises:
            ValueError: the file holds something else.
        """
        return _decode(os.pread(self._descriptor, _LAYOUT.size + 1, 0))

    def write(self, used_bytes: int) -> None:
        """Set the number."""
        os.pwrite(self._descriptor, _LAYOUT.pack(_MAGIC, used_bytes, ~used_bytes), 0)

    def forget(self) -> None:
        """Say that the number is not known, so that whoever comes next counts; the disk may refuse here."""
        os.ftruncate(self._descriptor, _LAYOUT.size)
        os.pwrite(self._descriptor, _UNKNOWN, 0)


class Usage:
    """The file with the number. It is opened for each use, so a forked child has nothing of its parent's."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self) -> Iterator[HeldUsage]:
        """The number, locked against all other threads and processes.

        Raises:
            BlockingIOError: another holds it, and for longer than one should wait.
            OSError: the file cannot be had, or not be locked.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(descriptor)
            try:
                yield HeldUsage(descriptor)
            finally:
                # Closing alone would not do: a child forked meanwhile has the descriptor, and with it the lock.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def peek(self) -> int | None:
        """The number as it stands, without waiting for anybody; None where there is none to be had."""
        try:
            content = self._path.read_bytes() if self._path.is_file() else b""
            return _decode(content)
        except (OSError, ValueError):
            return None


def _lock(descriptor: int) -> None:
    """Take the lock; never wait for long, for its holder may be stopped in a debugger."""
    deadline_s = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                raise
            time.sleep(0.001)
        else:
            return


def _decode(content: bytes) -> int | None:
    if content in (b"", _UNKNOWN):
        return None
    if len(content) == _LAYOUT.size:
        magic, used_bytes, inverted = _LAYOUT.unpack(content)
        if magic == _MAGIC and used_bytes == ~inverted >= 0:
            return int(used_bytes)
    raise ValueError("it does not hold what cirron wrote there")
