"""The question before something is deleted."""

from __future__ import annotations

import sys

from cirron.tree import units


def confirmed(question: str) -> bool:
    """Whether the person at the terminal, or what was piped in for them, says yes; silence means no."""
    sys.stderr.write(f"? {units.clean(question)} (y/N) ")
    sys.stderr.flush()
    answer = _line()
    if not (answer.endswith("\n") and sys.stdin.isatty()):  # nobody has moved to a new line by typing
        sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")


def _line() -> str:
    try:
        return sys.stdin.readline() if sys.stdin is not None else ""
    except UnicodeDecodeError:  # whatever it is, it is no yes
        return ""
