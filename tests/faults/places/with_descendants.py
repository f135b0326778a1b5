"""Runs a program, leader of a process group, and waits for all its descendants: `with_descendants.py COMMAND...`."""

import ctypes
import os
import sys

PR_SET_CHILD_SUBREAPER = 36

ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans become children of this process
program = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, setpgroup=0)
ended = {}
while True:
    try:
        pid, status = os.wait()
    except ChildProcessError:
        break
    ended[pid] = status
exit_code = os.waitstatus_to_exitcode(ended[program])
sys.exit(exit_code if exit_code >= 0 else 128 - exit_code)
