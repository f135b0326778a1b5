"""Programs of users, run as they run them: in a process of their own."""

import os
import subprocess
import sys
from dataclasses import dataclass

from cirron.spool import read, seal_dead_journals

HUNG_S = 120  # a program takes a second or two; one that takes so long waits for ever


@dataclass
class Ended:
    """What is left of a program: its exit code (negative for a signal) and all it printed."""

    code: int
    stdout: str
    stderr: str


def run_program(script: str, *options: str, **environ: str) -> Ended:
    """Run a script to its end in the current folder."""
    return _run([*options, "-c", script], environ)


def run_file(path: str) -> Ended:
    """Run a file of Python, as multiprocessing wants its main module."""
    return _run([path], {})


def _run(arguments: list[str], environ: dict[str, str]) -> Ended:
    command = [sys.executable, "-P", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environ}, timeout=HUNG_S
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def spans_and_endings(folder: str = ".cirron") -> list[str]:
    """All spans by name, a session's with how it ended; journals of dead processes are sealed first."""
    seal_dead_journals(folder)
    spans = [span for batch in read(folder).batches() for span in batch.spans]
    return [span.attrs.get("cirron.ended", span.name) for span in spans]
