"""Who asks for a batch: a `for`, which is somewhere in its code, or `next` by hand, of which no end is known.

A loop in the body of a `for` is a part of its step. One that begins after `next` by hand may as well be the first that
has to do with the program's real work.
"""

from __future__ import annotations

import inspect
import opcode
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import CodeType, FrameType

_FOR = opcode.opmap["FOR_ITER"]
_EXTENDED_ARG = opcode.opmap["EXTENDED_ARG"]
_CACHE = opcode.opmap["CACHE"]  # comes after an instruction, and belongs to it
_BYTES = 2  # of an instruction
# What may wait, and is on no stack meanwhile.
_MAY_WAIT = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR
_TRAINER = "transformers.trainer"  # asks by `next`, and lets go of its iterator when the epoch ends


class For(NamedTuple):
    """The `for` statement that asks, by where it is: its frame, were that held, would keep the program's data alive."""

    thread_id: int
    frame_id: int
    code: CodeType
    begins_at: int
    ends_at: int

    def is_left(self) -> bool:
        """Whether the program is behind it, or its function has ended, though something may hold its iterator."""
        if threading.get_ident() != self.thread_id or self.code.co_flags & _MAY_WAIT:
            return False
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and (id(frame) != self.frame_id or frame.f_code is not self.code):
            frame = frame.f_back
        if frame is None:
            return True
        # Whatever handles exceptions, in the loop as well, lies at the end of the code.
        return sys.exc_info()[0] is None and not self.begins_at <= frame.f_lasti < self.ends_at


def who_asks() -> FrameType | None:
    """The frame that asks, however many generators and iterators of the program's own are in between."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _passes_on(frame):
        frame = frame.f_back
    return frame


def for_in(frame: FrameType | None) -> For | None:
    """The `for` that asks there, if it is one."""
    if frame is None:
        return None
    instructions = frame.f_code.co_code
    at = _instruction(instructions, frame.f_lasti)
    if instructions[at] != _FOR:
        return None
    return For(threading.get_ident(), id(frame), frame.f_code, at, _target(instructions, at))


def lets_go(frame: FrameType | None) -> bool:
    """Whether who asks there drops its iterator at the end, though it is no `for`."""
    return frame is not None and _module(frame) == _TRAINER


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _passes_on(frame: FrameType) -> bool:
    code = frame.f_code
    is_ours = _module(frame).startswith("cirron.hooks.")
    return is_ours or code.co_name == "__next__" or code.co_flags & inspect.CO_GENERATOR != 0


def _instruction(instructions: bytes, at: int) -> int:
    """Where the one begins that a frame is at."""
    while instructions[at] == _CACHE:
        at -= _BYTES
    return at


def _target(instructions: bytes, at: int) -> int:
    """Where the one that is there jumps to, counted from the next."""
    distance, following = instructions[at + 1], at + _BYTES
    for digit, before in enumerate(range(at - _BYTES, -1, -_BYTES), 1):
        if instructions[before] != _EXTENDED_ARG:
            break
        distance += instructions[before + 1] << 8 * digit
    while instructions[following] == _CACHE:
        following += _BYTES
    return following + _BYTES * distance
