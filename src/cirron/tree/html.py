"""A tree as HTML, for a page that brings no style of its own and may be light or dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from cirron.tree.page import WIDTH
from cirron.tree.scope import Scope
from cirron.tree.text import to_lines

if TYPE_CHECKING:
    from rich.text import Text

# A terminal's theme makes named colours readable on any ground; a page has none, so these are of middle brightness.
_CSS = {
    "bold": "font-weight:bold",
    "dim": "opacity:.65",
    "red": "color:#d33",
    "magenta": "color:#b4b",
    "green": "color:#292",
    "cyan": "color:#29a",
}
_PRE = "line-height:1.25;font-family:monospace;white-space:pre;overflow-x:auto"


def to_html(top: Scope, *, width: int = WIDTH) -> str:
    """The picture of `to_text` as one `pre` element with inline styles, everything recorded escaped."""
    lines = "\n".join(_line_html(line) for line in to_lines(top, width=width))
    return f'<pre style="{_PRE}">{lines}</pre>'


def _line_html(line: Text) -> str:
    """One line as nested-free spans; the pieces were appended in order, each with one style."""
    html, position = [], 0
    for piece in line.spans:
        html.append(escape(line.plain[position : piece.start]))
        css = ";".join(_CSS[word] for word in str(piece.style).split() if word in _CSS)
        content = escape(line.plain[piece.start : piece.end])
        html.append(f'<span style="{css}">{content}</span>' if css else content)
        position = piece.end
    return "".join(html) + escape(line.plain[position:])
