"""Inside a platform run: each batch as one JSON line among what the program prints."""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import select
import stat
import sys
import termios
import time
from typing import Any

from cirron._version import __version__
from cirron.bell import Bell
from cirron.broken_pipes import discard_buffer
from cirron.delivery.forks import forks_put_off
from cirron.delivery.outcome import Closed, Delivered, Failed, Outcome, Rejected

ROOM_S = 5.0  # how long to wait for the reader of a full pipe
LOOK_AGAIN_S = 0.02

# What flushing the program's own lines may add to a pipe, with the room that its pages waste.
SLACK_BYTES = 32 * 1024
PIPE_BYTES = 16 * 1024  # where the system does not tell: macOS's smallest
LARGEST_PIPE_BYTES = 1024 * 1024  # to which Linux lets anybody enlarge a pipe

CLOSED = "standard output is closed"
ENVELOPE = b'{"__cirron_event__":"trace_batch","schema_version":1,"sdk_version":"%s","payload":'


class EventStream:
    """Writes batches to standard output so that they never share a line with anything else.

    Nothing is ever written that could wait for the reader: a thread that waits inside Python's buffer for
    standard output holds its lock, and the interpreter that needs it to exit aborts the program.
    """

    target = "standard output"

    def __init__(self) -> None:
        # The newline ends what the program has half written.
        self._head = b"\n" + ENVELOPE % __version__.encode()
        self._bell = Bell()
        self._interrupted = False
        self._identity = _identity(_descriptor())

    def deliver(self, batch_id: str, content: bytes) -> Outcome:
        """Write one batch as a line.

        Args:
            batch_id: not needed; the batch has it.
            content: the file's bytes. Line breaks lie between its tokens only, as JSON escapes those in text.
        """
        payload = content.replace(b"\n", b"").replace(b"\r", b"").strip()
        if not (payload.startswith(b"{") and payload.endswith(b"}")):
            return Rejected(None, "not a JSON object, as after a loss of power")
        return self._put(b"".join((self._head, payload, b"}\n")))

    def interrupt(self) -> None:
        """Have a wait for the reader end now, and none begin until `close`."""
        self._interrupted = True
        self._bell.ring()

    def close(self) -> None:
        """Nothing is held, but interruptions are over."""
        self._interrupted = False

    def _put(self, line: bytes) -> Outcome:
        descriptor = _descriptor()
        if self._is_closed(descriptor):
            return Closed(CLOSED)
        if not self._wait_for_room(descriptor, len(line)):
            return (
                Closed(CLOSED) if self._is_closed(descriptor) else Failed("standard output is not being read")
            )
        with forks_put_off():
            _flush_prints()
            return _write(line)

    def _is_closed(self, descriptor: int | None) -> bool:
        """Also when its number has come to stand for another file, which is then the program's own."""
        if descriptor is None or _identity(descriptor) != self._identity:
            return True
        return bool(_events(descriptor) & (select.POLLERR | select.POLLHUP | select.POLLNVAL))

    def _wait_for_room(self, descriptor: int | None, size_bytes: int) -> bool:
        give_up_s = time.monotonic() + ROOM_S
        while descriptor is not None and not _has_room(descriptor, size_bytes):
            if self._interrupted or time.monotonic() > give_up_s or self._is_closed(descriptor):
                return False
            self._bell.wait(LOOK_AGAIN_S)
        return True


def _descriptor() -> int | None:
    try:
        return sys.__stdout__.fileno() if sys.__stdout__ is not None else None
    except (OSError, ValueError):  # closed, or something that is no file
        return None


def _identity(descriptor: int | None) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor) if descriptor is not None else None
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status is not None else None


def _events(descriptor: int) -> int:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return sum(event for _, event in poll.poll(0))


def _has_room(descriptor: int, size_bytes: int) -> bool:
    """Whether a write would not wait; one that is larger than a pipe needs a reader that has kept up so far."""
    if not _events(descriptor) & select.POLLOUT:
        return False
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return True
    queued = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, queued)
    wanted_bytes = queued[0] + size_bytes + SLACK_BYTES
    return wanted_bytes <= _pipe_bytes(descriptor, wanted_bytes) or queued[0] == 0


def _pipe_bytes(descriptor: int, wanted_bytes: int) -> int:
    """What a pipe holds, after it was made larger if that is needed and possible."""
    if sys.platform != "linux":
        return PIPE_BYTES
    capacity_bytes = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
    if capacity_bytes < wanted_bytes <= LARGEST_PIPE_BYTES:
        with contextlib.suppress(OSError):  # more than this user's pipes may have
            capacity_bytes = fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, wanted_bytes)
    return capacity_bytes


def _flush_prints() -> None:
    """Put the program's finished lines before ours; should that fail, it fails for the program too, later."""
    with contextlib.suppress(Exception):  # sys.stdout may be anything
        sys.stdout.flush()


def _write(line: bytes) -> Outcome:
    output = sys.__stdout__
    if output is None:
        return Closed(CLOSED)
    try:
        _write_all(output.buffer, line)
        output.buffer.flush()
    except (BrokenPipeError, ValueError):
        discard_buffer(output)
        return Closed(CLOSED)
    except OSError as error:
        discard_buffer(output)
        return Failed(f"standard output cannot be written to ({error.strerror})")
    return Delivered()


def _write_all(buffer: Any, line: bytes) -> None:
    """One call, so that nothing printed meanwhile comes between: Python's buffer takes the line as a whole.

    Without a buffer (`python -u`) the kernel does, if the line fits into the pipe.
    """
    while line:
        written_bytes = buffer.write(line)
        if not written_bytes:  # None, says Python, when the program has made its output non-blocking
            raise BlockingIOError(errno.EAGAIN, "it would have to be waited for")
        line = line[written_bytes:]
