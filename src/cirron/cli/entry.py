"""Where the `cirron` command begins."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cirron.cli.exit_codes import INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code.

    Args:
        arguments: what follows `cirron` on the command line; by default the process's own.

    Example:
        sys.exit(main(["traces", "list"]))
    """
    _open_what_is_closed()
    try:
        from cirron.cli.app import run  # takes a while, in which Ctrl-C may come too
    except KeyboardInterrupt:
        return INTERRUPTED
    return run(arguments)


def _open_what_is_closed() -> None:
    """Give a process that was started without standard streams (`>&-`) empty ones.

    Else the first file to be opened would get the number 1 or 2, and what is printed with it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "w", closefd=False))
