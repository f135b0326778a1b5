"""`cirron traces view`: the scope tree of one session."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cirron.cli.local_spool import find_session, open_sessions, short_ids, spool_option
from cirron.cli.messages import say
from cirron.errors import CirronError
from cirron.spool import Session, read
from cirron.tree import Tree, build, keep, print_tree, to_json


@click.command(
    "view",
    epilog="""Example:

    \b
    cirron traces view                            # the newest session
    cirron traces view --name epoch --depth 2     # epochs, and two levels below
    cirron traces view --last 20 --json           # what closed last, for a program
    """,
)
@click.option("--session", metavar="ID", help="The session whose id begins so. [default: the newest]")
@spool_option
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Show so many levels below the top.")
@click.option("--name", metavar="S", help="Only spans of exactly this name, and what is below them.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the N spans that closed last.")
@click.option("--no-color", is_flag=True, help="No colours, as when NO_COLOR is set or nobody watches.")
@click.option("--json", "as_json", is_flag=True, help="Print the tree as JSON, unfolded.")
def view_command(
    session: str | None,
    spool: Path,
    depth: int | None,
    name: str | None,
    last: int | None,
    no_color: bool,
    as_json: bool,
) -> None:
    """Show the scope tree of a session with durations and marks.

    Many siblings of one name share a line: count, total, mean, 95th percentile and a bar for their share of the
    parent's time.
    """
    if as_json and depth is not None:
        raise click.UsageError("--depth cuts the drawn tree; --json always holds all levels. Leave one out.")
    sessions = open_sessions(spool)
    chosen = find_session(sessions, session, spool)
    tree = _tree(chosen, spool, name, last)
    if as_json:
        print(to_json(tree))
        return
    if session is None and len(sessions) > 1:
        name_shown = short_ids(sessions)[sessions.index(chosen)]
        say(f"Session {name_shown}, the newest of {len(sessions)}; see also `cirron traces list`")
    print_tree(tree, sys.stdout, color=not no_color, depth=depth)


def _tree(session: Session, spool: Path, name: str | None, last: int | None) -> Tree:
    whole = build(read(spool, session.id).batches())
    tree = keep(whole, name, last)
    if name is not None and not tree.roots:
        there = ", ".join(sorted({node.span.name for _, node in whole.walk()})[:10])
        raise CirronError(f"no span is called '{name}' in session {session.id[:8]}: there are {there}")
    return tree
