"""Tables on standard output: whole where nobody watches, and no wider than a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cirron.tree import units
from cirron.tree.page import width_of

_GAP = 2
_TEXT_MIN = 12  # cells that are left of a text however narrow the terminal is


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: what stands at its head.
        is_left: its cells begin at the left, as words do; numbers end at the right.
        can_be_cut: its cells may be shortened where a terminal is too narrow.
        rank: where a terminal is too narrow the columns of the highest rank go first; 0 never goes.
        least: cells that others go for, before a text that can be cut gets fewer.
        cut: makes a text fit so many cells; by default it loses its end.
    """

    name: str
    is_left: bool = False
    can_be_cut: bool = False
    rank: int = 0
    least: int = _TEXT_MIN
    cut: Callable[[str, int], str] = units.cut


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Print rows below the heads of their columns; returns the columns for which a terminal had no room.

    Args:
        columns: as many as each row has cells.
        rows: texts without control characters.
    """
    width, encoding = width_of(sys.stdout), sys.stdout.encoding or "utf-8"
    rows = [[units.spelled(cell, encoding) for cell in row] for row in rows]
    shown = _fitting(columns, rows, width)
    widths = {position: _width(columns, rows, position) for position in shown}
    _narrow(
        {position: columns[position].least for position in shown if columns[position].can_be_cut},
        widths,
        width,
    )
    for row in ([column.name for column in columns], *rows):
        cells = [_cell(row[position], widths[position], columns[position]) for position in shown]
        line = "  ".join(cells).rstrip()
        print_line(line if width is None else units.cut(line, width))
    return [column.name for position, column in enumerate(columns) if position not in shown]


def print_line(text: str) -> None:
    """Print one line, in plain characters where the terminal or pipe takes no others."""
    print(units.encodable(text, sys.stdout.encoding or "utf-8").rstrip())


def _fitting(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """The positions of the columns to show."""
    shown = list(range(len(columns)))
    while width is not None and _least_width(columns, rows, shown) > width:
        last = max(columns[position].rank for position in shown)
        if last == 0:
            break
        shown = [position for position in shown if columns[position].rank < last]
    return shown


def _least_width(columns: Sequence[Column], rows: Sequence[Sequence[str]], shown: Iterable[int]) -> int:
    """What the table takes when its texts are cut as short as they may be."""
    widths = [
        min(_width(columns, rows, position), columns[position].least)
        if columns[position].can_be_cut
        else _width(columns, rows, position)
        for position in shown
    ]
    return sum(widths) + _GAP * (len(widths) - 1)


def _narrow(least: Mapping[int, int], widths: dict[int, int], width: int | None) -> None:
    """Take from the widest of the texts, cell by cell, what is too much; less than the least only if it must be."""
    for floors in (least, dict.fromkeys(least, _TEXT_MIN)):
        while width is not None and sum(widths.values()) + _GAP * (len(widths) - 1) > width:
            can_give = [position for position, floor in floors.items() if widths[position] > floor]
            if not can_give:
                break
            widths[max(can_give, key=widths.__getitem__)] -= 1


def _width(columns: Sequence[Column], rows: Sequence[Sequence[str]], position: int) -> int:
    return max(len(columns[position].name), *(_cells(row[position]) for row in rows), 0)


def _cells(text: str) -> int:
    """How wide the text is on a terminal; a large table asks that half a million times."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cell(text: str, width: int, column: Column) -> str:
    shown = text if _cells(text) <= width else column.cut(text, width)
    padding = " " * (width - _cells(shown))
    return shown + padding if column.is_left else padding + shown
