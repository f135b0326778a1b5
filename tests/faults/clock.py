"""A wall clock that is set while the program trains, and a program that stands still."""

from __future__ import annotations

import os
import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from faults import debugger
from faults.fault import Act, Fault, Found, Stage
from faults.shims import preloaded

PAUSE_S = 0.3  # a pause has to last: several intervals of the writer, and what `TRAIN` takes for one
HOUR_S = 3600

TRAIN = """
ci.profile(flush_interval=0.02)
train(300); ci.flush()
walls, ticks = time.time(), time.monotonic()
moment("half")
print("stood still", time.monotonic() - ticks > 0.25)
print("hours later", round((time.time() - walls) / 3600))
train(300); ci.flush()
train(300)
"""


def shiftable(stage: Stage) -> list[str]:
    """A program whose wall clock `shift` moves."""
    _set_shift(stage, 0)
    return [*preloaded("clock")(stage), f"FAULTS_CLOCK={stage.folder / 'clock'}"]


def shift(seconds: float) -> Act:
    """Set the clock forwards, or back."""
    return lambda stage, pid: _set_shift(stage, seconds)


def _set_shift(stage: Stage, seconds: float) -> None:
    """In place, for the program has the file mapped."""
    with (stage.folder / "clock").open("wb" if seconds == 0 else "r+b") as file:
        file.write(struct.pack("<q", int(seconds * 1e9)))


def pause(stage: Stage, pid: int) -> None:
    """Stop the whole process for a while."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(PAUSE_S)
    os.kill(pid, signal.SIGCONT)


def suspend(stage: Stage, pid: int) -> None:
    """As a machine that sleeps for eight hours does to it: nothing runs, then the wall clock has moved on."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(PAUSE_S)
    _set_shift(stage, 8 * HOUR_S)
    os.kill(pid, signal.SIGCONT)


def debug(stage: Stage, pid: int) -> None:
    """Attach to every thread as a debugger does, and let go again."""
    threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
    for thread in threads:
        debugger.attach(thread)
    time.sleep(PAUSE_S)
    for thread in threads:
        debugger.detach(thread)


def _times_run_on(found: Found) -> Iterator[str]:
    """The session's times follow a clock that cannot jump."""
    spans = [span for batch in found.batches for span in batch["spans"] if span["name"] == "step"]
    starts = [span["start_ns"] for span in sorted(spans, key=lambda span: span["index"])]
    if starts != sorted(starts):
        yield "a later step began before an earlier one"
    if starts and starts[-1] - starts[0] > 60e9:
        yield f"the steps are {(starts[-1] - starts[0]) / 1e9:.0f} s apart"


def _fault(name: str, cause: str, act: Act, proof: str, **options: object) -> Fault:
    return Fault(name, cause, TRAIN, at={"half": act}, proof=proof, check=_times_run_on, **options)


STOOD_STILL = "stood still True"

FAULTS = [
    _fault(
        "clock set forwards",
        "by a day, in the program's C library",
        shift(24 * HOUR_S),
        "hours later 24",
        launcher=shiftable,
    ),
    _fault(
        "clock set back",
        "by a day, in the program's C library",
        shift(-24 * HOUR_S),
        "hours later -24",
        launcher=shiftable,
    ),
    _fault(
        "clock set back to 1970",
        "in the program's C library",
        shift(5 - time.time()),
        r"hours later -\d{6}",
        launcher=shiftable,
    ),
    _fault(
        "suspend",
        "SIGSTOP, and the clock 8 h later at SIGCONT",
        suspend,
        STOOD_STILL + "\nhours later 8",
        launcher=shiftable,
    ),
    _fault("stopped for a while", "SIGSTOP, SIGCONT", pause, STOOD_STILL),
    _fault("a debugger", "`PTRACE_ATTACH` to every thread", debug, STOOD_STILL),
]
