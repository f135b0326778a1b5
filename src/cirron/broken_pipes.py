"""Writing to what may have been closed at the other end, without harm to the program that shares it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any


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


def discard_buffer(stream: Any) -> None:
    """Empty a text stream's buffer of what could not be written, which would fail again at the program's exit.

    Python has no call for that, so the buffer is flushed while its descriptor leads nowhere.
    """
    with contextlib.suppress(
        OSError, ValueError
    ):  # best effort, after an error that is being reported already
        descriptor = stream.fileno()
        inheritable = os.get_inheritable(descriptor)
        kept, nowhere = os.dup(descriptor), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, descriptor)
            stream.flush()
        finally:
            os.dup2(kept, descriptor, inheritable)
            os.close(nowhere)
            os.close(kept)
