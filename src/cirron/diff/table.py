"""A comparison as a table: one line a scope, whole or no wider than asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from cirron.diff.difference import Change, Difference
from cirron.diff.words import share_of_change, signed_duration, signed_percent
from cirron.tree import units
from cirron.tree.path_text import path_text, shortened

_HEADS = ("scope", "count", "before", "after", "change", "noise", "contribution", "")
_COUNT, _CHANGE, _NOISE, _SHARE = 1, 4, 5, 7
_GAP = 2
_PATH_LEAST = 24  # cells; to keep them, the share goes first, and then the count
_WIDE = 110  # from here on there is room for whole words


@dataclass(frozen=True)
class _Row:
    """The cells of one change: its path, then what stands in the other columns."""

    change: Change
    cells: Sequence[str]


def to_lines(difference: Difference, *, width: int | None = None, most: int | None = None) -> list[Text]:
    """The table as styled lines, its head first; arrows and colours mark what changed beyond noise.

    Args:
        difference: what `compare` found.
        width: characters a line may have; None for as many as it takes.
        most: how many scopes to show; by default all.

    Example:
        for line in to_lines(compare(a, b), width=80):
            print(line.plain)
    """
    is_wide = width is None or width >= _WIDE
    rows = [_Row(change, _cells(change, difference, is_wide)) for change in difference.changes[:most]]
    shown = _columns(rows, width)
    widths = [_width(rows, position) for position in shown]
    path = max(_path_width(rows), len(_HEADS[0]))
    if width is not None:
        path = min(path, max(1, width - sum(_GAP + cells for cells in widths)))
    head = Text(_line(_HEADS[0].ljust(path), [_HEADS[position] for position in shown], widths), "bold")
    return [head, *(_styled(row, shown, widths, path) for row in rows)]


def _cells(change: Change, difference: Difference, is_wide: bool) -> tuple[str, ...]:
    share = share_of_change(change, difference)
    return (
        path_text(change.path),
        _count(change),
        _duration(change.before_ns),
        _duration(change.after_ns),
        _growth(change),
        _noise(change, is_wide),
        signed_duration(change.contribution_ns),
        "" if share is None else f"{round(share * 100)} %",
    )


def _count(change: Change) -> str:
    before, after = (f"{times.count:,}" if times else "" for times in (change.before, change.after))
    return before if before == after else f"{before or 0} → {after or 0}"


def _duration(ns: float | None) -> str:
    return "-" if ns is None else units.duration(ns)


def _growth(change: Change) -> str:
    if change.before is None or change.after is None:
        return "new" if change.before is None else "gone"
    if change.growth is None:
        return "-"
    arrow = ("▲ " if change.growth > 0 else "▼ ") if change.is_beyond_noise else ""
    return arrow + signed_percent(change.growth)


def _noise(change: Change, is_wide: bool) -> str:
    if change.before is None or change.after is None:
        return ""
    if change.shift is None:
        return "too few to tell" if is_wide else "too few"
    if not change.shift.before_ns:
        return ""
    return f"±{change.noise_ns / change.shift.before_ns * 100:.1f} %"


def _columns(rows: Sequence[_Row], width: int | None) -> list[int]:
    """The positions of the columns right of the path, as many as leave it room."""
    shown = list(range(1, len(_HEADS)))
    for dropped in (_SHARE, _COUNT):
        taken = sum(_GAP + _width(rows, position) for position in shown)
        if width is not None and width - taken < min(_PATH_LEAST, _path_width(rows)):
            shown.remove(dropped)
    return shown


def _width(rows: Sequence[_Row], position: int) -> int:
    return max(len(_HEADS[position]), *(cell_len(row.cells[position]) for row in rows), 0)


def _path_width(rows: Sequence[_Row]) -> int:
    return max((cell_len(row.cells[0]) for row in rows), default=0)


def _line(path: str, cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (" " * (_GAP + width - cell_len(cell)) + cell for cell, width in zip(cells, widths, strict=True))
    return (path + "".join(padded)).rstrip()


def _styled(row: _Row, shown: Sequence[int], widths: Sequence[int], path: int) -> Text:
    name = shortened(row.change.path, path)
    cells = [row.cells[position] for position in shown]
    line = Text(_line(name + " " * (path - cell_len(name)), cells, widths))
    if not row.change.is_beyond_noise:
        return line
    grown = (row.change.growth or 0) > 0
    end = path + sum(
        _GAP + width for position, width in zip(shown, widths, strict=True) if position <= _CHANGE
    )
    start = len(line.plain[:end].rstrip()) - len(row.cells[_CHANGE])
    line.stylize("bold red" if grown else "bold green", start, end)
    return line
