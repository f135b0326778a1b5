"""What one command takes, as the system tells it of the ended process."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.driver import environment, scratch
from benchmarks.reading.commands import OUTPUT, Command

MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class CommandError(Exception):
    """A measured command failed; the message has its end of standard error."""


@dataclass(frozen=True)
class Usage:
    wall_s: float
    cpu_s: float
    peak_megabytes: float


def measure(command: Command, folder: Path) -> Usage:
    """Runs the command once in the folder of its spool; what it writes is deleted."""
    with scratch(folder) as aside:
        arguments = [str(aside / "output") if part == OUTPUT else part for part in command.arguments]
        return _run([sys.executable, "-m", "cirron.cli", *arguments], folder, aside / "errors.txt")


def _run(program: list[str], folder: Path, errors: Path) -> Usage:
    start_ns = time.perf_counter_ns()
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            program, cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL, stderr=stderr
        )
    _, status, used = os.wait4(process.pid, 0)
    wall_s = (time.perf_counter_ns() - start_ns) / 1e9
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CommandError(
            f"{' '.join(program)} ended with {process.returncode}:\n{errors.read_text()[-2000:]}"
        )
    return Usage(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * MAXRSS_BYTES / 1e6)
