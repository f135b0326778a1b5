"""Where the `cirron` command begins."""

from __future__ import annotations

from collections.abc import Sequence

from cirron.cli.exit_codes import INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code.

    Args:
        arguments: what follows `cirron` on the command line; by default the process's own.

    Example:
        sys.exit(main(["traces", "list"]))
    """
    try:
        from cirron.cli.app import run  # takes a while, in which Ctrl-C may come too
    except KeyboardInterrupt:
        return INTERRUPTED
    return run(arguments)
