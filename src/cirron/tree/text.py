"""A tree as text: one line a span or fold, aligned in columns, no wider than asked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.text import Text

from cirron.tree import units
from cirron.tree.page import WIDTH, colored, plain
from cirron.tree.rows import Fact, Row, rows
from cirron.tree.scope import Scope

_EMPTY = "nothing recorded"
_UNLIMITED = sys.maxsize
_INDENT = 3  # cells a level
_TREE_MIN = 16
_NARROW = 60  # a page of less has no room for bars, and for hardly any facts
_NAME_MIN, _TROUBLE_MIN = 5, 8  # cells of a name or an error that still tell something
_NUMBER = re.compile(rf"( {units.TIMES}[\d,]+|\[\d+\])?$")
_TROUBLES = ("bold red", "bold magenta")


def to_text(
    top: Scope,
    *,
    width: int | None = WIDTH,
    color: bool = False,
    depth: int | None = None,
    encoding: str = "utf-8",
) -> str:
    """A picture of the tree, lines ending in a newline.

    Many siblings of one name become one line with count, total, mean and 95th percentile; spans that have no
    line are counted on one.

    Args:
        top: what to draw is below it.
        width: characters a line may have; None for all it takes.
        color: whether to put in terminal colours.
        depth: levels shown below the roots; by default all.
        encoding: of the page; plain characters and escapes stand for what it does not know.

    Example:
        print(to_text(scopes_of(build(batches))), end="")
    """
    lines = to_lines(top, width=width, depth=depth, encoding=encoding)
    return colored(lines) if color else plain(lines)


def to_lines(
    top: Scope, *, width: int | None = WIDTH, depth: int | None = None, encoding: str = "utf-8"
) -> list[Text]:
    """The same picture as styled lines, for whoever prints with rich."""
    shown = [_spelled(row, encoding) for row in rows(top, depth)]
    if not shown:
        return [Text(_EMPTY, "dim")]
    columns = _Columns(shown, width)
    lines = [columns.line(row) for row in shown]
    for line in lines:  # one character for one by now, so that styles stay in place
        line.plain = units.encodable(line.plain, encoding)
    return lines


def _spelled(row: Row, encoding: str) -> Row:
    """The row with what the encoding does not know spelled out before anyone measures it."""
    facts = [
        Fact(units.spelled(words, encoding), style, [units.spelled(each, encoding) for each in shorter])
        for words, style, shorter in row.facts
    ]
    return replace(row, label=units.spelled(row.label, encoding), facts=facts)


class _Columns:
    """How wide each column is, so that all the lines of one picture agree."""

    def __init__(self, shown: Sequence[Row], width: int | None) -> None:
        self.width = width
        timed = [row for row in shown if row.duration]
        shares = [row for row in timed if row.share is not None]
        self.duration = _widest(row.duration for row in timed)
        self.share = _widest(units.percent(row.share or 0) for row in shares)
        self.tree = min(_widest(row.branch + row.label for row in timed), self._tree_max())
        self.bar = 10 if width is None or width >= 100 else 6 if width >= _NARROW else 0
        self.bar = self.bar if shares else 0

    def _tree_max(self) -> int:
        """The cells that names may take; those that are longer are cut, or stand out where nothing is cut."""
        width = WIDTH if self.width is None else self.width
        if width < _NARROW:
            return max(_TREE_MIN, width - self.duration - self.share - len("    +00  "))
        return width * 2 // 5

    def line(self, row: Row) -> Text:
        if not row.duration:
            return Text(row.label if self.width is None else units.cut(row.label, self.width), "dim")
        line = Text()
        self._name(line, row)
        line.append("  " + " " * (self.duration - cell_len(row.duration)) + row.duration)
        self._share(line, row)
        _append_facts(line, row.facts, self.width)
        line.rstrip()
        if self.width is not None:
            line.truncate(self.width, overflow="ellipsis")  # a page narrower than all this can be
        return line

    def _name(self, line: Text, row: Row) -> None:
        branch, label = row.branch, row.label
        if self.width is not None and cell_len(branch + label) > self.tree:
            branch = self._shorter_branch(branch)
            label = _shorter_label(label, self.tree - cell_len(branch))
        line.append(branch, "dim")
        line.append(label, _label_style(row))
        line.append(" " * (self.tree - line.cell_len))

    def _shorter_branch(self, branch: str) -> str:
        """At most half of the column; how deep the line stands is told by a number where it cannot be seen."""
        room = self.tree // 2 - _INDENT
        if len(branch) <= room + _INDENT:
            return branch
        return f"…{len(branch) // _INDENT}".ljust(room) + branch[-_INDENT:]

    def _share(self, line: Text, row: Row) -> None:
        if not self.share:
            return
        if self.bar:
            style = "red" if row.is_hottest else "cyan"
            line.append("  " + units.bar(row.share or 0, self.bar).ljust(self.bar), style)
        line.append("  " + ("" if row.share is None else units.percent(row.share)).rjust(self.share))


def _shorter_label(label: str, cells: int) -> str:
    """The name's beginning; an index or a count stays whole."""
    number = _NUMBER.search(label)
    end = label[number.start() :] if number else ""
    if cell_len(label) <= cells or cells < _NAME_MIN + len(end):
        return units.cut(label, cells)
    return units.cut(label[: len(label) - len(end)], cells - len(end)) + end


def _append_facts(line: Text, facts: Sequence[Fact], width: int | None) -> None:
    """As many facts as the line has room for; how many it has not is said."""
    room_left = _UNLIMITED if width is None else width - line.cell_len
    for position, fact in enumerate(facts):
        left = len(facts) - position
        room = room_left - 2
        words = _fitting(fact, room - (0 if left == 1 else len(f"  +{left - 1}")))
        if words is None:
            line.append(f"  +{left}"[: max(0, room + 2)], "dim")
            return
        line.append("  ")
        line.append(words, fact.style)
        room_left = room - cell_len(words)


def _fitting(fact: Fact, room: int) -> str | None:
    """As many of the fact's words as there is room for; half a word of a trouble is better than none."""
    for words in (fact.words, *fact.shorter):
        if cell_len(words) <= room:
            return words
    return units.cut(fact.words, room) if fact.style in _TROUBLES and room >= _TROUBLE_MIN else None


def _label_style(row: Row) -> str:
    """A span that failed or was cut off is told by its name already."""
    troubles = [fact.style for fact in row.facts if fact.style in _TROUBLES]
    if troubles:
        return "bold red" if "bold red" in troubles else troubles[0]
    return "dim" if row.label.startswith("…") else "bold"


def _widest(texts: Iterable[str]) -> int:
    return max((cell_len(text) for text in texts), default=0)
