"""Where a tree is shown: in the notebook cell that asked, or on standard output."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from cirron.tree.html import to_html
from cirron.tree.page import takes_colors, width_of
from cirron.tree.scope import Scope
from cirron.tree.text import to_text


def show(top: Scope) -> None:
    """Display what is below `top` as HTML in a notebook cell, or print it."""
    shell = _notebook_shell()
    if shell is None:
        print_tree(top, sys.stdout)
    else:
        shell.display_pub.publish({"text/plain": to_text(top), "text/html": to_html(top)})


def print_tree(top: Scope, stream: TextIO, *, color: bool = True, depth: int | None = None) -> None:
    """Write the tree as text that fits the stream: its width, its characters and, on a terminal, its colours.

    Args:
        top: what to draw is below it.
        stream: where to. What goes to no terminal is neither cut nor coloured; a terminal gets no colours when
            `NO_COLOR` is set, or when it is a dumb one.
        color: False for no colours even there.
        depth: levels shown below the roots; by default all.
    """
    color = color and takes_colors(stream)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(to_text(top, width=width_of(stream), color=color, depth=depth, encoding=encoding))
    stream.flush()


def _notebook_shell() -> Any | None:
    """The shell of a notebook, found without importing IPython: a program that has not, is in no notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    in_notebook = any(cls.__name__ == "ZMQInteractiveShell" for cls in type(shell).__mro__)
    return shell if in_notebook else None
