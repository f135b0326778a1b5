"""The spool a command reads: what dead processes left is sealed first, and every oddity is mentioned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click

from cirron.cli.candidates import complete_sessions
from cirron.cli.messages import say
from cirron.errors import CirronError
from cirron.spool import Problem, Reader, Run, Session, glance, read, runs, seal_dead_journals, summarize
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


def session_option(command: Command) -> Command:
    """The `--session` of the commands that look at one."""
    return click.option(
        "--session",
        metavar="ID",
        shell_complete=complete_sessions,
        help="The session whose id begins so. [default: the newest run, with all its ranks and workers]",
    )(command)


def seal_journals(spool: Path) -> None:
    """Seal what killed processes left beside the spool, and say so.

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


def open_sessions(spool: Path) -> list[Session]:
    """The sessions in the spool, oldest first.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no spool at this path.
    """
    seal_journals(spool)
    reader = read(spool, sent=True)
    found = summarize(reader)
    mention(reader)
    return found


@dataclass(frozen=True)
class Chosen:
    """What a command was asked to look at.

    Attributes:
        name: the id of its first session, cut so that it can be typed.
        run: its processes. Their sessions are known at a glance only: see `sessions`.
        of_runs: how many runs there were to choose from; None when the user named one.
        reader: gives the batches of just these sessions.
    """

    name: str
    run: Run
    of_runs: int | None
    reader: Reader

    @cached_property
    def sessions(self) -> list[Session]:
        """The sessions with all that can be said of them, which takes a pass over their batches."""
        return summarize(self.reader)


def chosen(spool: Path, prefix: str | None) -> Chosen:
    """The session whose id begins so, or the newest run; journals are sealed first.

    Whoever has read the batches calls `mention`, so that files which could not be read are not passed over in
    silence.

    Raises:
        CirronError: there is none, or more than one.
        FileNotFoundError, NotADirectoryError: there is no spool at this path.
    """
    seal_journals(spool)
    found = glance(read(spool, sent=True))
    if not found:
        mention_problems_of(spool)
        raise CirronError(
            f"nothing is recorded in {spool}: run a program that calls ci.profile(), or name its --spool"
        )
    names = dict(zip((session.id for session in found), short_ids(found), strict=True))
    if prefix is None:
        candidates = runs(found)
        return _chosen(candidates[-1], names, len(candidates), spool)
    return _chosen(Run([_named(found, prefix, spool)]), names, None, spool)


def chosen_again(earlier: Chosen, spool: Path) -> Chosen:
    """The same run as it is now: more processes may have joined it, unless the user named one session."""
    seal_journals(spool)
    if earlier.of_runs is None:
        return _chosen(earlier.run, {earlier.run.ranks[0].id: earlier.name}, None, spool)
    found = glance(read(spool, sent=True))
    first_id = earlier.run.ranks[0].id
    run = next((run for run in runs(found) if any(each.id == first_id for each in run.sessions)), earlier.run)
    return _chosen(run, {run.ranks[0].id: earlier.name}, earlier.of_runs, spool)


def short_ids(sessions: Sequence[Session]) -> list[str]:
    """The ids, all cut to the least length, from 8 up, that keeps them apart."""
    length = 8
    while len({session.id[:length] for session in sessions}) < len(sessions):
        length += 1
    return [session.id[:length] for session in sessions]


def mention(reader: Reader) -> None:
    """Say which files the latest pass of this reader left out."""
    mention_problems(reader.problems)


def mention_problems(problems: Sequence[Problem]) -> None:
    """Say which files were left out, and of many how many."""
    for problem in problems[:_MENTIONED]:
        say(f"Warning: left out {problem}")
    if (more := len(problems) - _MENTIONED) > 0:
        say(f"Warning: left out {units.counted(more, 'more file')}")


def mention_problems_of(spool: Path) -> None:
    """Say which files of a spool cannot be read, where nothing else is going to read them."""
    reader = read(spool)
    for _ in reader.batches():
        pass
    mention(reader)


def _chosen(run: Run, names: dict[str, str], of_runs: int | None, spool: Path) -> Chosen:
    ids = frozenset(session.id for session in run.sessions)
    return Chosen(names[run.ranks[0].id], run, of_runs, read(spool, ids, sent=True))


def _named(sessions: Sequence[Session], prefix: str, spool: Path) -> Session:
    matching = [session for session in sessions if session.id.startswith(prefix.lower())]
    if len(matching) > 1:
        several = ", ".join(session.id for session in matching[:_MENTIONED])
        raise CirronError(
            f"{len(matching)} sessions begin with '{prefix}': give more digits of one of {several}"
        )
    if not matching:
        raise CirronError(f"no session in {spool} begins with '{prefix}': see `cirron traces list`")
    return matching[0]
