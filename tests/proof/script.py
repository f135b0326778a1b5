"""Runs a few lines of Python in a process of their own, and looks at what they recorded."""

import subprocess
import sys
from pathlib import Path

from cirron.spool import read

KILLED = -9
HUNG_S = 120  # a script takes a second or two; one that takes so long waits for ever

# What the scripts have in common: a recorder without a writer thread, so that they decide when to seal.
PREAMBLE = """
import os, resource, signal, sys, threading
from pathlib import Path
import cirron as ci
from cirron._recorder import Recorder, recover
root = Path(sys.argv[1])
spool, journals = root / "spool", root / "journal"
spool.mkdir(parents=True, exist_ok=True)
journals.mkdir(exist_ok=True)
def new_recorder(**options):
    fields = b'"sdk_version":"1.0.0"'
    return Recorder(spool_dir=str(spool), journal_dir=str(journals), batch_fields=fields, **options)
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
def file_size_limit(limit_bytes):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
NO_LIMIT = resource.RLIM_INFINITY
"""


def run(script: str, root: Path, expect: int = 0) -> str:
    """What the script printed; its exit code is as expected."""
    command = [sys.executable, "-P", "-c", PREAMBLE + script, root]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HUNG_S)
    assert done.returncode == expect, f"exit code {done.returncode}: {done.stderr}"
    return done.stdout


def values(root: Path, name: str) -> list[object]:
    """The values of all marks of a name, sorted."""
    marks = (mark for batch in read(root).batches() for mark in batch.marks)
    return sorted(mark.value for mark in marks if mark.name == name)


def picture(root: Path) -> list[str]:
    """Each span and how it ended, in the order of the spool."""
    return [
        f"{span.name} {'interrupted' if span.end_ns is None else 'closed'}"
        for batch in read(root).batches()
        for span in batch.spans
    ]
