"""Runs a few lines of Python in a process of their own."""

import subprocess
import sys
from pathlib import Path

KILLED = -9

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
"""


def run(script: str, root: Path, expect: int = 0) -> str:
    """What the script printed; its exit code is as expected."""
    command = [sys.executable, "-P", "-c", PREAMBLE + script, root]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == expect, f"exit code {done.returncode}: {done.stderr}"
    return done.stdout
