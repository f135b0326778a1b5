"""What a command tells the person in front of it; data goes to standard output instead."""

from __future__ import annotations

import sys

from cirron.tree import units


def say(message: str) -> None:
    """Write one line to standard error, with nothing in it that a terminal would obey."""
    print(units.clean(message), file=sys.stderr)
