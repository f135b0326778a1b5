"""The `cirron` command as a user runs it: in a process of its own, in the current folder."""

import os
import subprocess
import sys
from typing import NamedTuple

COMMAND = [sys.executable, "-m", "cirron.cli"]
HUNG_S = 120  # a command takes a second or two; one that takes so long waits for ever


class Ran(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


def cirron(*arguments, stdin="", launcher=(), **environ):
    """Run one command, by way of a program that becomes it if need be."""
    done = subprocess.run(
        [*launcher, *COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"} | environ,
        timeout=HUNG_S,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def start(*arguments, **environ):
    """Begin one command, whose output comes through pipes; for a `with`, which waits for its end."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"} | environ,
    )
