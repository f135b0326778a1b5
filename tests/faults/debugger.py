"""As much of a debugger as it takes to make a thread stand still."""

from __future__ import annotations

import contextlib
import ctypes
import os

_PTRACE_ATTACH, _PTRACE_DETACH = 16, 17
_WALL = 0x40000000  # of waitpid: any kind of thread

_libc = ctypes.CDLL(None, use_errno=True)


def attach(thread_id: int) -> None:
    """Stop one thread of another process; only the calling thread may let it go.

    Raises:
        OSError: the system allows no debugger.
    """
    if _libc.ptrace(_PTRACE_ATTACH, thread_id, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no debugger may attach ({os.strerror(number)}): see /proc/sys/kernel/yama")
    os.waitpid(thread_id, _WALL)


def detach(thread_id: int) -> None:
    """Let the thread go on."""
    _libc.ptrace(_PTRACE_DETACH, thread_id, None, None)


def bury(thread_id: int) -> None:
    """Take note that an attached thread has ended, which the end of its process waits for."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(thread_id, _WALL)
