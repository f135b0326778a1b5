"""The names of nested scopes in one line: `epoch / batch / forward`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from cirron.tree import units

SEPARATOR = " / "


def path_text(path: Sequence[str]) -> str:
    """The whole path, with nothing in it that a terminal would obey."""
    return SEPARATOR.join(map(units.clean, path))


def shortened(path: Sequence[str], cells: int) -> str:
    """The path in so many terminal cells; the middle goes first, as the ends tell most.

    Example:
        >>> shortened(("epoch", "step", "model", "forward"), 21)
        'epoch / … / forward'
    """
    whole = path_text(path)
    if cell_len(whole) <= cells:
        return whole
    for kept in range(len(path) - 2, 0, -1):
        text = path_text((path[0], "…", *path[-kept:]))
        if cell_len(text) <= cells:
            return text
    return _without_middle(whole, cells)


def _without_middle(text: str, cells: int) -> str:
    head = set_cell_size(text, max(0, (cells - 1) // 3)).rstrip()
    tail = ""
    for character in reversed(text):
        if cell_len(head + "…" + character + tail) > cells:
            break
        tail = character + tail
    return head + "…" + tail.lstrip()
