"""A tree as text: one line a span or fold, aligned in columns, no wider than asked."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from cirron.tree import units
from cirron.tree.rows import Fact, Row, rows
from cirron.tree.scope import Scope

WIDTH = 120  # where nobody says how wide the page is
_EMPTY = "nothing recorded"


def to_text(top: Scope, *, width: int = WIDTH, color: bool = False, depth: int | None = None) -> str:
    """A picture of the tree, lines ending in a newline.

    Many siblings of one name become one line with count, total, mean and 95th percentile; spans that have no
    line are counted on one.

    Args:
        top: what to draw is below it.
        width: characters a line may have.
        color: whether to put in terminal colours.
        depth: levels shown below the roots; by default all.

    Example:
        print(to_text(scopes_of(build(batches))), end="")
    """
    if not color:
        return "".join(line.plain + "\n" for line in to_lines(top, width=width, depth=depth))
    buffer = io.StringIO()
    console = Console(
        file=buffer, force_terminal=True, color_system="standard", width=width + 1, legacy_windows=False
    )
    for line in to_lines(top, width=width, depth=depth):
        console.print(line, no_wrap=True, overflow="ignore", crop=False, highlight=False)
    return buffer.getvalue()


def to_lines(top: Scope, *, width: int = WIDTH, depth: int | None = None) -> list[Text]:
    """The same picture as styled lines, for whoever prints with rich."""
    shown = list(rows(top, depth))
    if not shown:
        return [Text(_EMPTY, "dim")]
    columns = _Columns(shown, width)
    return [columns.line(row) for row in shown]


class _Columns:
    """How wide each column is, so that all the lines of one picture agree."""

    def __init__(self, shown: Sequence[Row], width: int) -> None:
        self.width = width
        timed = [row for row in shown if row.duration]
        self.tree = min(_widest(row.branch + row.label for row in timed), max(16, width * 2 // 5))
        self.duration = _widest(row.duration for row in timed)
        shares = [row for row in timed if row.share is not None]
        self.share = _widest(units.percent(row.share or 0) for row in shares)
        self.bar = 0 if not shares or width < 60 else 6 if width < 100 else 10

    def line(self, row: Row) -> Text:
        if not row.duration:
            return Text(units.cut(row.label, self.width), "dim")
        line = Text()
        self._name(line, row)
        line.append("  " + " " * (self.duration - cell_len(row.duration)) + row.duration)
        self._share(line, row.share)
        _append_facts(line, row.facts, self.width)
        line.rstrip()
        return line

    def _name(self, line: Text, row: Row) -> None:
        branch = units.cut(row.branch, self.tree - 4)
        label = units.cut(row.label, self.tree - cell_len(branch))
        line.append(branch, "dim")
        line.append(label, _label_style(row))
        line.append(" " * (self.tree - line.cell_len))

    def _share(self, line: Text, share: float | None) -> None:
        if not self.share:
            return
        if self.bar:
            line.append("  " + units.bar(share or 0, self.bar).ljust(self.bar), "cyan")
        line.append("  " + ("" if share is None else units.percent(share)).rjust(self.share))


def _append_facts(line: Text, facts: Sequence[Fact], width: int) -> None:
    """As many facts as the line has room for; how many it has not is said."""
    for position, fact in enumerate(facts):
        left = len(facts) - position
        room = width - line.cell_len - 2
        needed_after = 0 if left == 1 else len(f"  +{left - 1}")
        words = next((w for w in (fact.words, fact.short) if w and cell_len(w) + needed_after <= room), None)
        if words is None:
            line.append(f"  +{left}"[: max(0, room + 2)], "dim")
            return
        line.append("  ")
        line.append(words, fact.style)


def _label_style(row: Row) -> str:
    """A span that failed or was cut off is told by its name already."""
    troubles = [fact.style for fact in row.facts if fact.style in ("bold red", "bold magenta")]
    if troubles:
        return "bold red" if "bold red" in troubles else troubles[0]
    return "dim" if row.label.startswith("…") else "bold"


def _widest(texts: Iterable[str]) -> int:
    return max((cell_len(text) for text in texts), default=0)
