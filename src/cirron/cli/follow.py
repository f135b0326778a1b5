"""`cirron traces view --follow`: the picture of a run that is still going, drawn anew as it grows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cirron.cli.local_spool import Chosen, chosen_again
from cirron.cli.open_spans import open_spans_of
from cirron.cli.sigterm import stopped_by_sigterm
from cirron.tree import Scope, Shape, print_tree, to_lines, units
from cirron.tree.reading_along import ReadingAlong

EACH_S = 1.0  # as often as a session seals what it recorded
_HINT = "Ctrl-C stops looking, and not the run"


def follow(
    picked: Chosen, spool: Path, shape: Shape, part: Callable[[Scope], Scope], screen: Screen
) -> Chosen:
    """Draw a run until all its sessions have ended.

    Args:
        picked: the run.
        spool: where it was found.
        shape: what is wanted of the spans.
        part: picks what is drawn.
        screen: where to.

    Returns:
        The run as it ended; more processes may belong to it by then.
    """
    along = ReadingAlong(picked.reader, picked.run, shape, open_spans_of(picked))
    along.look()
    while along.is_live:
        screen.draw(part(along.picture(time.time_ns())))
        time.sleep(EACH_S)
        along.look()
        if along.strangers:
            along = _with_joined(picked := chosen_again(picked, spool), along, shape)
    return chosen_again(picked, spool)


def _with_joined(picked: Chosen, along: ReadingAlong, shape: Shape) -> ReadingAlong:
    """Begin anew where a process has joined the run; what was met may just as well be another run's."""
    if along.strangers.isdisjoint(session.id for session in picked.run.sessions):
        along.strangers.clear()
        return along
    anew = ReadingAlong(picked.reader, picked.run, shape, open_spans_of(picked))
    anew.look()
    return anew


class Screen:
    """The part of a terminal that is drawn over and over; where there is no terminal, nothing is drawn.

    Args:
        color: False for no colours.
        depth: levels shown below the top; None for all.

    Example:
        with Screen(color=True, depth=None) as screen:
            screen.draw(top)
    """

    def __init__(self, *, color: bool, depth: int | None) -> None:
        self._depth = depth
        self._color = color
        self._shown: Scope | None = None
        self._console = Console(no_color=not color or bool(os.environ.get("NO_COLOR")), highlight=False)
        # The alternate screen is the one that a change of its size leaves clean.
        self._live = Live(console=self._console, auto_refresh=False, screen=True)
        self._exits = ExitStack()

    def __enter__(self) -> Screen:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._exits.enter_context(stopped_by_sigterm())  # else it would leave that screen up
            self._exits.enter_context(self._live)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()
        if kind is KeyboardInterrupt and self._shown is not None:  # who has seen enough keeps the picture
            print_tree(self._shown, sys.stdout, color=self._color, depth=self._depth)

    def draw(self, top: Scope) -> None:
        """Replace what was drawn before."""
        if self._live.is_started:
            self._shown = top
            encoding = self._console.encoding
            lines = to_lines(top, width=self._console.width - 1, depth=self._depth, encoding=encoding)
            self._live.update(Group(*self._fitting(lines)), refresh=True)

    def _fitting(self, lines: list[Text]) -> list[Text]:
        room = self._console.height - 2
        if len(lines) > room:
            lines = [*lines[: room - 1], self._remark(f"… {len(lines) - room + 1} more lines")]
        return [*lines, Text(), self._remark(_HINT)]

    def _remark(self, words: str) -> Text:
        return Text(units.encodable(units.cut(words, self._console.width - 1), self._console.encoding), "dim")
