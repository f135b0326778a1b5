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

COST_SHARE = 50  # a reading of all processes may take a fiftieth of a core
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
        interval_ms: from one sample to the next; it becomes longer where many processes take long to read.

    Raises:
        OSError: the program cannot be started.
    """
    program = subprocess.Popen(command)
    with _signals_for(program):
        samples: list[TreeSample] = []
        processes: dict[int, Process] = {}
        began_s = time.monotonic()
        wait_s = 0.0
        while not _has_ended(program, wait_s):
            cost_s = -time.thread_time()  # on a busy machine a reading lasts longer than it costs
            sample = _sample(program.pid, time.monotonic() - began_s, processes)
            cost_s += time.thread_time()
            if sample is not None:
                samples.append(sample)
            wait_s = max(interval_ms / 1000, COST_SHARE * cost_s)
    code = program.returncode
    return Watched(code if code >= 0 else KILLED - code, samples, processes)


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


def _sample(pid: int, at_s: float, processes: dict[int, Process]) -> TreeSample | None:
    """None where the program ends this very moment."""
    resident_bytes = anonymous_bytes = count = 0
    for process in _tree(pid):
        try:
            memory = process.memory_info()
            known = processes.get(process.pid) or Process(process.pid, process.name())
        except psutil.Error:  # gone, or another user's
            continue
        processes[process.pid] = known
        known.peak_bytes = max(known.peak_bytes, memory.rss)
        resident_bytes += memory.rss
        anonymous_bytes += memory.rss - getattr(memory, "shared", 0)
        count += 1
    return TreeSample(at_s, resident_bytes, anonymous_bytes, count) if resident_bytes else None


def _tree(pid: int) -> list[psutil.Process]:
    try:
        program = psutil.Process(pid)
        return [program, *program.children(recursive=True)]
    except psutil.Error:
        return []
