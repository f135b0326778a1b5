"""`cirron traces view --follow`: the picture of a run that is still going, drawn anew as it grows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cirron.cli.local_spool import Chosen, chosen_again
from cirron.cli.open_spans import open_spans_of
from cirron.tree import Scope, Shape, to_lines
from cirron.tree.reading_along import ReadingAlong

EACH_S = 1.0  # as often as a session seals what it recorded


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
        self._console = Console(no_color=not color or bool(os.environ.get("NO_COLOR")), highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Screen:
        if sys.stdout.isatty():
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def draw(self, top: Scope) -> None:
        """Replace what was drawn before."""
        if self._live.is_started:
            lines = to_lines(top, width=self._console.width - 1, depth=self._depth)
            self._live.update(Group(*self._fitting(lines)), refresh=True)

    def _fitting(self, lines: list[Text]) -> list[Text]:
        room = self._console.height - 1
        if len(lines) <= room:
            return lines
        return [*lines[: room - 1], Text(f"… {len(lines) - room + 1} more lines", "dim")]
