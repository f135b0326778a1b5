"""`cirron traces view`: where the time of a run went."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from cirron.cli.follow import Screen, follow
from cirron.cli.local_spool import Chosen, chosen, mention, session_option, spool_option
from cirron.cli.messages import say
from cirron.cli.open_spans import open_spans_of
from cirron.cli.view_flat import print_flat
from cirron.cli.wall_time import WallTime
from cirron.errors import CirronError
from cirron.tree import Scope, Shape, Tree, build, keep, outline_run, print_tree, scopes_of, to_json, units
from cirron.tree.hottest import hottest
from cirron.tree.last_closed import last_closed
from cirron.tree.last_place import last_place
from cirron.tree.pick import named
from cirron.tree.scope import FEW
from cirron.tree.slow_rank import slow_rank


@dataclass(frozen=True)
class Wanted:
    """What the options of the command ask for."""

    name: str | None
    last: int | None
    depth: int | None
    min_wall_ns: int
    is_flat: bool
    as_json: bool
    color: bool

    @property
    def shape(self) -> Shape:
        """What of the spans has to be kept for it."""
        if self.is_flat:
            return Shape(few=1, min_wall_ns=self.min_wall_ns, marks=False)
        return Shape(FEW, self.min_wall_ns)


@click.command(
    "view",
    short_help="Show where the time of a run went.",
    epilog="""Example:

    \b
    cirron traces view                            # the newest run
    cirron traces view --flat                     # a table, the slowest scope first
    cirron traces view --name epoch --depth 2     # epochs, and two levels below
    cirron traces view --follow                   # a run that is still going
    cirron traces view --last 20 --json           # what closed last, for a program
    """,
)
@session_option
@spool_option
@click.option("--flat", "is_flat", is_flag=True, help="A table with a row for each path of scopes.")
@click.option("--follow", "is_followed", is_flag=True, help="Draw anew each second until the run has ended.")
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Show so many levels below the top.")
@click.option("--name", metavar="S", help="Only spans of exactly this name, and what is below them.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the N spans that closed last.")
@click.option(
    "--min-wall",
    "min_wall_ns",
    type=WallTime(),
    default=0,
    metavar="TIME",
    help="Leave out spans that took less, such as 1ms, and what is below them.",
)
@click.option("--no-color", is_flag=True, help="No colours, as when NO_COLOR is set or nobody watches.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the tree as JSON, unfolded; with --flat, the rows."
)
def view_command(
    session: str | None,
    spool: Path,
    is_flat: bool,
    is_followed: bool,
    depth: int | None,
    name: str | None,
    last: int | None,
    min_wall_ns: int,
    no_color: bool,
    as_json: bool,
) -> None:
    """Show where the time of a run went: a tree of scopes with durations and marks.

    Many siblings of one name share a line: count, total, mean, 95th percentile and a bar for their share of the
    parent's time, red where most of the run's time went. The ranks of a distributed run share one picture, in which
    each line tells what the fastest, the median and the slowest rank spent there; worker processes stand below it,
    together. "data wait" is the part of a scope's time that went by waiting for a data loader.

    With --flat the scopes are a table, in which "self" is the time that no scope below accounts for, and "share" its
    part of the whole; the row with the most comes first.

    Spans are counted as they are read, so a spool may hold millions. Only --json, and --last with --name, keep all of
    them in memory: for large runs see `cirron traces export`.
    """
    wanted = Wanted(name, last, depth, min_wall_ns, is_flat, as_json, not no_color)
    _check(wanted, is_followed)
    picked = chosen(spool, session)
    if is_followed:
        with Screen(color=wanted.color, depth=depth) as screen:
            picked = follow(picked, spool, wanted.shape, lambda top: _part(top, wanted), screen)
    if is_flat:
        _view_flat(picked, wanted)
    elif as_json:
        print(to_json(_tree(picked, wanted)))
        mention(picked.reader)
    else:
        _view_tree(picked, wanted)


def _check(wanted: Wanted, is_followed: bool) -> None:
    """Options that contradict each other are wrong usage."""
    refused = [
        (
            wanted.as_json and wanted.depth is not None,
            "--depth cuts the drawn tree; --json always holds all levels",
        ),
        (
            wanted.is_flat and wanted.depth is not None,
            "--depth cuts the drawn tree; --flat always holds all paths",
        ),
        (wanted.is_flat and wanted.last is not None, "--last picks single spans; --flat takes them together"),
        (is_followed and wanted.is_flat, "--follow draws the tree; --flat is a table of what is there now"),
        (is_followed and wanted.as_json, "--follow draws for a person; --json is for a program"),
        (is_followed and wanted.last is not None, "--follow shows a run as it grows; --last a part of it"),
    ]
    for is_refused, why in refused:
        if is_refused:
            raise click.UsageError(f"{why}. Leave one out.")


def _view_flat(picked: Chosen, wanted: Wanted) -> None:
    top = _part(_outlined(picked, wanted), wanted)
    print_flat(top, as_json=wanted.as_json)
    _introduce(picked)


def _view_tree(picked: Chosen, wanted: Wanted) -> None:
    if wanted.last is None:
        top = _part(_outlined(picked, wanted), wanted)
    else:
        top = scopes_of(_tree(picked, wanted))
        mention(picked.reader)
    print_tree(top, sys.stdout, color=wanted.color, depth=wanted.depth)
    _introduce(picked)
    if wanted.name is None and wanted.last is None:
        for sentence in filter(None, (last_place(top), slow_rank(top), hottest(top))):
            say(sentence)


def _outlined(picked: Chosen, wanted: Wanted) -> Scope:
    found = outline_run(picked.reader, picked.run, wanted.shape, open_spans_of(picked), time.time_ns())
    mention(picked.reader)
    if found.left_out_count:
        took_less = f"took less than {units.duration(wanted.min_wall_ns)}, or lie in one that did"
        say(f"{units.counted(found.left_out_count, 'span')} left out: they {took_less}")
    if found.spans_dropped or found.marks_dropped:
        lost = (
            f"{units.counted(found.spans_dropped, 'span')} and {units.counted(found.marks_dropped, 'mark')}"
        )
        say(f"Warning: {lost} could not be kept while recording, so this is not all; ci.health() says why")
    return found.top


def _part(top: Scope, wanted: Wanted) -> Scope:
    """What is below the name that was asked for."""
    if wanted.name is None:
        return top
    part = named(top, wanted.name, wanted.shape.few)
    if not part.children:
        raise _no_such_name(wanted.name, {scope.name for scope in top.walk()} - {""})
    return part


def _tree(picked: Chosen, wanted: Wanted) -> Tree:
    """All spans in memory, which is what single spans need."""
    reader = picked.reader
    if wanted.last is not None and wanted.name is None and not wanted.min_wall_ns:
        return keep(build(last_closed(reader, wanted.last)), last=wanted.last)
    whole = build(reader.batches())
    tree = keep(whole, wanted.name, wanted.last, wanted.min_wall_ns)
    if wanted.name is not None and not tree.roots:
        raise _no_such_name(wanted.name, {node.span.name for _, node in whole.walk()})
    return tree


def _no_such_name(name: str, there: set[str]) -> CirronError:
    return CirronError(f"no span is called '{name}': there are {', '.join(sorted(there)[:10])}")


def _introduce(picked: Chosen) -> None:
    """Say what was chosen, where the user did not."""
    run = picked.run
    parts = _counted_parts(len(run.ranks), len(run.workers))
    if picked.of_runs is not None and (picked.of_runs > 1 or parts):
        newest = f", the newest of {picked.of_runs}" if picked.of_runs > 1 else ""
        say(f"Session {picked.name}{parts}{newest}; see also `cirron traces list`")


def _counted_parts(rank_count: int, worker_count: int) -> str:
    parts: Sequence[str] = [
        units.counted(count, noun)
        for count, noun, least in ((rank_count, "rank", 2), (worker_count, "worker", 1))
        if count >= least
    ]
    return f" with {' and '.join(parts)}" if parts else ""
