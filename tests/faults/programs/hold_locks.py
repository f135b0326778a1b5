"""Holds the locks on some files until it is told to end: `hold_locks.py FILE...`. Prints `held` once it has them."""

import fcntl
import sys
from contextlib import ExitStack
from pathlib import Path

with ExitStack() as stack:
    for path in sys.argv[1:]:
        fcntl.flock(stack.enter_context(Path(path).open("a")), fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
