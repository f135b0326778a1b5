"""The spool a command reads: what dead processes left is sealed first, and every oddity is mentioned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from cirron.cli.messages import say
from cirron.errors import CirronError
from cirron.spool import Problem, Reader, Session, read, seal_dead_journals, summarize
from cirron.tree import units

DEFAULT = Path(".cirron")
_MENTIONED = 5  # problems told one by one

Command = TypeVar("Command", bound=Callable[..., Any])


def spool_option(command: Command) -> Command:
    """The `--spool` that all commands on local sessions share."""
    return click.option(
        "--spool",
        type=click.Path(path_type=Path),
        default=DEFAULT,
        metavar="DIR",
        help="A spool, a .cirron folder or one that holds it. [default: ./.cirron]",
    )(command)


def open_sessions(spool: Path) -> list[Session]:
    """The sessions in the spool, oldest first.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no spool at this path.
    """
    for outcome in seal_dead_journals(spool):
        if isinstance(outcome, Problem):
            say(f"Warning: left out {outcome}")
        else:
            say(
                f"Recovered session {outcome.session_id[:8]} of process {outcome.pid}, which was killed: "
                f"{units.counted(outcome.spans, 'closed span')}, {units.counted(outcome.marks, 'mark')}"
            )
    reader = read(spool)
    found = summarize(reader)
    _mention(reader)
    return found


def find_session(sessions: Sequence[Session], prefix: str | None, spool: Path) -> Session:
    """The session whose id begins so, or the newest of a main process.

    Raises:
        CirronError: there is none, or more than one.
    """
    if not sessions:
        raise CirronError(
            f"nothing is recorded in {spool}: run a program that calls ci.profile(), or name its --spool"
        )
    if prefix is None:
        return next((session for session in reversed(sessions) if session.worker is None), sessions[-1])
    matching = [session for session in sessions if session.id.startswith(prefix.lower())]
    if len(matching) > 1:
        several = ", ".join(session.id for session in matching[:_MENTIONED])
        raise CirronError(
            f"{len(matching)} sessions begin with '{prefix}': give more digits of one of {several}"
        )
    if not matching:
        raise CirronError(f"no session in {spool} begins with '{prefix}': see `cirron traces list`")
    return matching[0]


def short_ids(sessions: Sequence[Session]) -> list[str]:
    """The ids, all cut to the least length, from 8 up, that keeps them apart."""
    length = 8
    while len({session.id[:length] for session in sessions}) < len(sessions):
        length += 1
    return [session.id[:length] for session in sessions]


def _mention(reader: Reader) -> None:
    for problem in reader.problems[:_MENTIONED]:
        say(f"Warning: left out {problem}")
    if (more := len(reader.problems) - _MENTIONED) > 0:
        say(f"Warning: left out {more:,} more files")
