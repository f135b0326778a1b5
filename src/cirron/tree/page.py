"""What a stream can show: how wide it is, and whether in colours."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from rich.console import Console

if TYPE_CHECKING:
    from rich.text import Text

WIDTH = 120  # where nobody says how wide the page is


def width_of(stream: TextIO) -> int | None:
    """The width to keep to; None for a pipe or file, which gets everything whole."""
    if stream.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return shutil.get_terminal_size((WIDTH, 0)).columns
    return None


def takes_colors(stream: TextIO) -> bool:
    """Whether colours are welcome there: on a terminal that knows them, and without `NO_COLOR`."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def plain(lines: Iterable[Text]) -> str:
    """Styled lines as text without colours, each ending in a newline."""
    return "".join(line.plain + "\n" for line in lines)


def colored(lines: Iterable[Text]) -> str:
    """Styled lines as text with a terminal's codes for colours, each ending in a newline; none is wrapped."""
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=True, color_system="standard", legacy_windows=False)
    for line in lines:
        console.width = max(1, line.cell_len + 1)
        console.print(line, no_wrap=True, overflow="ignore", crop=False, highlight=False)
    return buffer.getvalue()
