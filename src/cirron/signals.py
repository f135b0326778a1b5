"""SIGTERM and SIGINT while sessions record: first the records go to disk, then the signal means what it meant.

Where the signal ends the process for certain, sessions are ended first. Where a handler of the user's, or
Python's own for Ctrl-C, decides what happens next, everything is written before it runs and the sessions
go on. A signal that is ignored stays so.
"""

from __future__ import annotations

import functools
import signal
import threading
import traceback
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Protocol, TypeAlias

from cirron import _recorder

HANDLED = (signal.SIGTERM, signal.SIGINT)

Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int

PYTHONS_OWN = signal.default_int_handler  # raises KeyboardInterrupt


class Recording(Protocol):
    """What a signal is told to; its methods do not raise."""

    def write_now(self) -> None:
        """Put everything on disk and go on recording."""

    def end_by(self, signal_name: str) -> None:
        """The process ends now."""

    def expect_exit_by(self, signal_name: str) -> None:
        """A handler of the user's has asked for the end of the program."""


_recordings: list[Recording] = []
_installed: dict[int, _Handler] = {}


def watch(recording: Recording) -> None:
    """Have the recording hear of signals until `unwatch`."""
    _recordings.append(recording)
    _on_main_thread(_settle)


def unwatch(recording: Recording) -> None:
    """The opposite of `watch`; with the last one, the handlers go as they came."""
    if recording in _recordings:
        _recordings.remove(recording)
    _on_main_thread(_settle)


def forget_all() -> None:
    """In a forked child: the recordings are the parent's, and signals mean what they meant without them."""
    _recordings.clear()
    _settle()


def has_raised(error: BaseException) -> bool:
    """Whether a handler of the program's has raised this, which then is for the program, whatever was under way."""
    if threading.current_thread() is not threading.main_thread():
        return False  # where no handler is ever called
    codes = {code for signum in signal.valid_signals() if (code := _code_of(_handler_of(signum))) is not None}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


def _handler_of(signum: int) -> Any:
    ours = _installed.get(signum)
    return signal.getsignal(signum) if ours is None else ours.previous


def _code_of(handler: Any) -> CodeType | None:
    """None where there is no handler, or it is not written in Python."""
    if not callable(handler):
        return None
    while isinstance(handler, functools.partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    code: CodeType | None = getattr(function, "__code__", None)
    return code if code is not None else getattr(type(handler).__call__, "__code__", None)


class _Handler:
    """What stands in front of the handler that a signal had.

    A program may keep `front` in the handler it installs over it; it then goes on passing signals down. Each
    installation has one of its own, so that no such chain can turn into a circle.

    Attributes:
        front: what is installed. A native callable, for which a traceback of Ctrl-C shows no line of ours.
        previous: what was there before.
    """

    def __init__(self, signum: int, previous: Handler) -> None:
        self.previous = previous
        self._name = signal.Signals(signum).name
        if callable(previous):
            self.front = _recorder.Passage(self._write_now, previous, self._expect_exit)
        else:
            self.front = _recorder.Passage(_nothing, self._let_it_end, _nothing)

    def _write_now(self) -> None:
        for recording in tuple(_recordings):
            recording.write_now()

    def _expect_exit(self) -> None:
        for recording in tuple(_recordings):
            recording.expect_exit_by(self._name)

    def _let_it_end(self, signum: int, _frame: FrameType | None) -> None:
        for recording in tuple(_recordings):
            recording.end_by(self._name)
        signal.signal(signum, signal.SIG_DFL)
        signal.raise_signal(signum)


def _nothing() -> None:
    """For a signal that ends the process, there is nothing to be done around the end."""


def _on_main_thread(function: Callable[[], None]) -> None:
    """Python lets only the main thread change handlers; elsewhere it is asked to, and does so before long."""
    if threading.current_thread() is threading.main_thread():
        function()
    else:
        _recorder.call_in_main_thread(function)


def _settle() -> None:
    for signum in HANDLED:
        if _recordings and signum not in _installed:
            _install(signum)
        elif not _recordings and signum in _installed:
            _remove(signum)


def _install(signum: int) -> None:
    previous = signal.getsignal(signum)
    if previous is signal.SIG_IGN or previous is None:
        return  # None: handled by C code, which only C code could put back
    handler = _Handler(signum, previous)
    signal.signal(signum, handler.front)
    _installed[signum] = handler
    if previous is PYTHONS_OWN:
        # asyncio.run and trio handle Ctrl-C themselves only where they find Python's own handler, by this name.
        signal.default_int_handler = handler.front


def _remove(signum: int) -> None:
    handler = _installed.pop(signum)
    if signal.default_int_handler is handler.front:
        signal.default_int_handler = PYTHONS_OWN
    if signal.getsignal(signum) is handler.front:
        signal.signal(signum, handler.previous)
