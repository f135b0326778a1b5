"""Local sinks: records as lines in a log or on standard output, besides the spool or instead of it.

`output="log"` makes each record an INFO line of the logger `cirron.records`; `output="stdout"` prints the same lines,
which `record_lines.py` describes, on what is standard output when the session begins. A thread of its own does both:
the writer hands it batches and never waits for it. When it falls behind by more than `BACKLOG_BATCHES`, the oldest
batch is dropped and counted.

Standard output belongs to the user's program, so that nothing here may block or break it. Lines are written a few at
a time, each write no larger than a pipe takes at once, and only while there is room: behind a reader that sleeps, our
lines wait outside of the stream's lock. When the reader is gone, as after `| head -1`, printing ends for the session,
and nothing of ours stays in the stream's buffer, where it would fail at the program's exit.
"""

from __future__ import annotations

import codecs
import io
import logging
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Protocol

from cirron.bell import Bell
from cirron.broken_pipes import discard_buffer, sigpipe_held_back
from cirron.faults import Faults

LOGGER = "cirron.records"
BACKLOG_BATCHES = 64
BACKLOG_BYTES = 64 * 1024 * 1024
WAIT_S = 1.0
ROOM_WAIT_MS = 200  # for a reader to make room, before the thread looks whether it shall end


class _Sink(Protocol):
    """Where lines go."""

    lost_count: int

    def take(self, lines: list[str]) -> None:
        """Put out the lines of one batch, or as many as there is room for."""

    def push(self) -> None:
        """Put out what had no room before."""

    def is_behind(self) -> bool:
        """Whether something of a batch is still waiting for room."""


class _Log:
    """The logger `cirron.records`, whose level and handlers are the user's."""

    def __init__(self, faults: Faults) -> None:
        self.lost_count = 0
        self._faults = faults
        self._logger = logging.getLogger(LOGGER)

    def take(self, lines: list[str]) -> None:
        if not self._logger.isEnabledFor(logging.INFO):
            return
        failures = sum(not self._log(line) for line in lines)
        self.lost_count += failures > 0

    def push(self) -> None:
        """Nothing waits here."""

    def is_behind(self) -> bool:
        return False

    def _log(self, line: str) -> bool:
        try:
            self._logger.info("%s", line)
        except Exception as error:  # noqa: BLE001 - a handler of the user's, which may raise anything
            self._faults.note("log sink", error, f"a logging handler refused a line of {LOGGER}")
            return False
        return True


class _Stdout:
    """Standard output as it was when the session began; a later `redirect_stdout` gets none of our lines."""

    def __init__(self, faults: Faults) -> None:
        self.lost_count = 0
        self._faults = faults
        self._stream: Any = sys.stdout
        self._is_closed = sys.stdout is None  # as in a program without a console
        self._chunks: deque[str] = deque()

    def take(self, lines: list[str]) -> None:
        if self._is_closed:
            self.lost_count += 1
            return
        self._chunks.extend(_chunks(_encodable(lines, _encoding(self._stream))))
        self.push()

    def push(self) -> None:
        while self._chunks and self._has_room():
            with sigpipe_held_back():
                self._write(self._chunks.popleft())

    def is_behind(self) -> bool:
        return bool(self._chunks)

    def _has_room(self) -> bool:
        """Whether a small write would not block; ends printing when nobody reads any more."""
        try:
            descriptor = _descriptor(self._stream)
        except (OSError, ValueError) as error:
            self._end(error)
            return False
        if descriptor is None:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        events = poll.poll(ROOM_WAIT_MS)
        if events and events[0][1] & (select.POLLERR | select.POLLHUP):
            self._end(BrokenPipeError("nobody reads it any more"))
            return False
        return bool(events)

    def _write(self, chunk: str) -> None:
        try:
            self._stream.flush()  # so that nothing but ours is in the buffer if the next write fails
        except Exception as error:  # noqa: BLE001 - the stream may be an object of the user's
            self._end(error)
            return
        try:
            _put(chunk, self._stream)
        except Exception as error:  # noqa: BLE001 - as above
            if _descriptor(self._stream) is not None:
                discard_buffer(self._stream)
            self._end(error)

    def _end(self, error: Exception) -> None:
        self._is_closed = True
        self._chunks.clear()
        self.lost_count += 1
        self._faults.note("stdout sink", error, "standard output is closed, so records are printed no more")


class Printer:
    """The task that prints: fed by the writer with `offer`, run by a thread of its own.

    Args:
        output: sinks by name; only `log` and `stdout` matter here.
        faults: takes what goes wrong.
    """

    name = "printer"
    keeps_disk = True  # it needs no network, so spool-only mode does not concern it

    def __init__(self, output: Collection[str], faults: Faults) -> None:
        self._faults = faults
        self._bell = Bell()
        self._lock = threading.RLock()  # reentrant: a signal handler may offer while its thread is offering
        self._backlog: deque[bytes] = deque()
        self._forgotten_count = 0
        self._sinks: list[_Sink] = []
        if "log" in output:
            self._sinks.append(_Log(faults))
        if "stdout" in output:
            self._sinks.append(_Stdout(faults))

    @property
    def dropped_count(self) -> int:
        """Batches that a sink did not get, or not in full."""
        return self._forgotten_count + sum(sink.lost_count for sink in self._sinks)

    def offer(self, batches: Iterable[bytes]) -> None:
        """Have these batches printed, in this order; never waits for that."""
        with self._lock:
            self._backlog.extend(batches)
            while len(self._backlog) > BACKLOG_BATCHES or sum(map(len, self._backlog)) > BACKLOG_BYTES:
                self._backlog.popleft()
                self._forgotten_count += 1
        self._bell.ring()

    def wait(self) -> None:
        """Return when there is something to print, or after a while."""
        if not self.has_more():
            self._bell.wait(WAIT_S)

    def wake(self) -> None:
        """End a wait early."""
        self._bell.ring()

    def has_more(self) -> bool:
        """Whether something is left to be printed."""
        return bool(self._backlog) or any(sink.is_behind() for sink in self._sinks)

    def work(self) -> None:
        """Print one batch, or what there was no room for before."""
        behind = [sink for sink in self._sinks if sink.is_behind()]
        if behind:
            for sink in behind:
                sink.push()
            return
        with self._lock:
            batch = self._backlog.popleft() if self._backlog else None
        if batch is not None:
            lines = self._lines(batch)
            for sink in self._sinks:
                sink.take(lines)

    def interrupt(self) -> None:
        """There is no way: a logging handler of the user's may take its time."""

    def give_up(self) -> None:
        """Count what is left as dropped: nobody prints it any more."""
        with self._lock:
            self._forgotten_count += len(self._backlog) + any(sink.is_behind() for sink in self._sinks)
            self._backlog.clear()

    def _lines(self, batch: bytes) -> list[str]:
        from cirron.record_lines import record_lines  # only here: it loads what draws trees

        try:
            return record_lines(batch)
        except Exception as error:  # noqa: BLE001 - one batch less in the log, rather than no more at all
            self._forgotten_count += 1
            self._faults.note("printer", error, "a batch could not be made into lines")
            return []


def make_printer(output: Collection[str], faults: Faults) -> Printer | None:
    """What prints to the sinks among `output`; None when nothing is to be printed."""
    return Printer(output, faults) if {"log", "stdout"} & set(output) else None


def _chunks(text_lines: list[str]) -> Iterator[str]:
    """The lines joined to texts that a pipe takes at once, whole lines each."""
    chunk, size_bytes = "", 0
    for line in text_lines:
        line_bytes = len(line.encode(errors="surrogatepass")) + 1
        if chunk and size_bytes + line_bytes > select.PIPE_BUF:
            yield chunk
            chunk, size_bytes = "", 0
        chunk += line + "\n"
        size_bytes += line_bytes
    if chunk:
        yield chunk


def _encodable(lines: list[str], encoding: str) -> list[str]:
    """The lines with whatever the encoding lacks spelled out."""
    return [line.encode(encoding, "backslashreplace").decode(encoding) for line in lines]


def _encoding(stream: Any) -> str:
    """What a stream encodes text with."""
    try:
        return codecs.lookup(str(getattr(stream, "encoding", None))).name
    except LookupError:  # an object of the user's, with an idea of its own or none
        return "utf-8"


def _put(text: str, stream: Any) -> None:
    """Write text to a stream whose own buffer has just been flushed.

    Below the layer of text, whose `write` may mix up what two threads give it (gh-119506, Python 3.11).
    """
    if type(stream) is io.TextIOWrapper:
        _put_bytes(text.encode(_encoding(stream)), stream.buffer)
    else:
        stream.write(text)
    stream.flush()


def _put_bytes(content: bytes, buffer: Any) -> None:
    left = memoryview(content)
    while left:
        count = buffer.write(
            left
        )  # without a buffer (`python -u`) it may be less, or none where it would block
        if count is None:
            raise BlockingIOError("it takes nothing more for now")
        left = left[count:]


def _descriptor(stream: Any) -> int | None:
    """The file behind a stream; None for one that is not directly above a file, as in a notebook.

    Raises:
        ValueError: the stream is closed.
        OSError: the file is.
    """
    if not isinstance(getattr(stream, "buffer", None), (io.BufferedWriter, io.FileIO)):
        return None
    descriptor: int = stream.fileno()
    os.fstat(descriptor)
    return descriptor
