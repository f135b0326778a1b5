"""Watching the memory of another program, and of all processes that it starts."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil
from msgspec import Struct

COST_SHARE = 50  # what looks at the processes may take a fiftieth of a core,
COST_AT_ONCE_S = 0.1  # and this beside it: a short program is over before a fiftieth amounts to anything
NOT_FOUND, NOT_EXECUTABLE, KILLED = (
    127,
    126,
    128,
)  # as a shell has it; on the last comes the number of the signal


class TreeSample(Struct, frozen=True):
    """The memory of a program and its children at an instant.

    Args:
        at_s: seconds since the start.
        resident_bytes: of all of them; what they share counts for each.
        anonymous_bytes: of that, what belongs to no file and is not shared.
        processes: how many they are.
    """

    at_s: float
    resident_bytes: int
    anonymous_bytes: int
    processes: int


class Process(Struct):
    """One process of the program, as far as it was seen."""

    pid: int
    name: str
    peak_bytes: int = 0


class Watched(Struct, frozen=True):
    """What became of a program.

    Args:
        exit_code: its own; 128 and the signal's number where one ended it.
        samples: in the order of time.
        processes: all that were seen, by their numbers.
    """

    exit_code: int
    samples: list[TreeSample]
    processes: dict[int, Process]


def watch(command: Sequence[str], interval_ms: int) -> Watched:
    """Run a program to its end, with the terminal and all else as it is, and look at its memory meanwhile.

    SIGTERM is passed on to it; an interrupt from the terminal reaches it by itself.

    Args:
        command: the program and its arguments.
        interval_ms: from one sample to the next. It becomes longer where a program of many processes takes long to
            read; on a machine of many processes, new children are looked for less often than that.

    Raises:
        OSError: the program cannot be started.
    """
    program = subprocess.Popen(command)
    with _signals_for(program):
        samples: list[TreeSample] = []
        tree, began_s = _Tree(program.pid), time.monotonic()
        looking, reading = _Ration(interval_ms / 1000), _Ration(interval_ms / 1000)
        while not _has_ended(program, reading.left_s()):
            if looking.left_s() == 0:
                with looking.spent():
                    tree.look_for_children()
            with reading.spent():
                sample = tree.sample(time.monotonic() - began_s)
            if sample is not None:
                samples.append(sample)
    code = program.returncode
    return Watched(code if code >= 0 else KILLED - code, samples, tree.seen)


class _Ration:
    """When something may be done again: after an interval, or later where it would cost more than its share."""

    def __init__(self, interval_s: float):
        self._interval_s = interval_s
        self._began_s = self._next_s = time.monotonic()
        self._cost_s = 0.0

    def left_s(self) -> float:
        return max(0.0, self._next_s - time.monotonic())

    @contextmanager
    def spent(self) -> Iterator[None]:
        began_s = time.thread_time()  # on a busy machine a reading lasts longer than it costs
        yield
        self._cost_s += time.thread_time() - began_s
        earned_s = self._began_s + COST_SHARE * (self._cost_s - COST_AT_ONCE_S)
        self._next_s = max(time.monotonic() + self._interval_s, earned_s)


@contextmanager
def _signals_for(program: subprocess.Popen[bytes]) -> Iterator[None]:
    def pass_on(number: int, _: Any) -> None:
        program.send_signal(number)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_ended(program: subprocess.Popen[bytes], wait_s: float) -> bool:
    try:
        program.wait(wait_s)
    except subprocess.TimeoutExpired:
        return False
    return True


class _Tree:
    """A program and the children that were found so far."""

    def __init__(self, pid: int):
        self.seen: dict[int, Process] = {}
        self._pid = pid
        self._now: list[psutil.Process] = []

    def look_for_children(self) -> None:
        """Costs a system call or two for each process of the machine."""
        try:
            program = psutil.Process(self._pid)
            self._now = [program, *program.children(recursive=True)]
        except psutil.Error:  # it ends this very moment, of which its exit code will tell
            self._now = []

    def sample(self, at_s: float) -> TreeSample | None:
        """None where the program ends this very moment."""
        resident_bytes = anonymous_bytes = count = 0
        for process in self._now:
            try:
                memory = process.memory_info()
                known = self.seen.get(process.pid) or Process(process.pid, process.name())
            except psutil.Error:  # gone, or another user's
                continue
            self.seen[process.pid] = known
            known.peak_bytes = max(known.peak_bytes, memory.rss)
            resident_bytes += memory.rss
            anonymous_bytes += memory.rss - getattr(memory, "shared", 0)
            count += 1
        return TreeSample(at_s, resident_bytes, anonymous_bytes, count) if resident_bytes else None
