"""Writing to what may have been closed at the other end, in a process that SIGPIPE might kill."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def sigpipe_held_back() -> Iterator[None]:
    """While it lasts, this thread's writes to a closed pipe or socket raise and send no signal.

    Python ignores SIGPIPE, but command-line programs like to restore its default, which is death: theirs to
    choose for their own writes, not for ours.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before:
            if signal.SIGPIPE in signal.sigpending():
                signal.sigwait({signal.SIGPIPE})
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
