"""`cirron traces diff`: what changed from one run to another."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec
from click.shell_completion import CompletionItem
from rich.text import Text

from cirron.cli.candidates import complete_sessions
from cirron.cli.exit_codes import DONE, REGRESSION
from cirron.cli.local_spool import Chosen, chosen, mention, spool_option
from cirron.cli.messages import say
from cirron.cli.open_spans import open_spans_of
from cirron.diff import Change, Difference, RunTimes, compare, conclusion, times_of, to_dict, to_lines
from cirron.diff.words import run_text, signed_percent
from cirron.errors import CirronError
from cirron.tree import units
from cirron.tree.page import colored, plain, takes_colors, width_of
from cirron.tree.path_text import path_text

_SHOWN = 20
_NAMED = 10  # regressions told one by one


def _percent(context: click.Context, parameter: click.Parameter, given: str | None) -> float | None:
    """`10%`, `10 %` and `10` are all 0.1."""
    if given is None:
        return None
    try:
        percent = float(given.strip().removesuffix("%"))
    except ValueError:
        percent = math.nan
    if not 0 <= percent < math.inf:
        raise click.BadParameter(f"{given!r} is no percentage: give a number from 0 up, such as 10%")
    return percent / 100


@dataclass(frozen=True)
class _Side:
    """One of the two runs, as the user named it."""

    letter: str
    choice: Chosen
    times: RunTimes

    @property
    def sessions(self) -> list[str]:
        """The ids of what it is made of."""
        return [session.id for session in self.choice.run.sessions]

    @property
    def origin(self) -> tuple[Path, list[str]]:
        """Where it was read from."""
        return self.choice.reader.spool.resolve(), self.sessions


def _candidates(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Folders, and the sessions of the spool."""
    ids = complete_sessions(context, parameter, begun)
    return [CompletionItem(begun, type="dir"), *map(CompletionItem, ids)]


@click.command(
    "diff",
    epilog="""Example:

    \b
    cirron traces diff 5b1f c1d2                             # two sessions of ./.cirron
    cirron traces diff main/.cirron .cirron                  # the newest runs of two folders
    cirron traces diff main/.cirron .cirron --fail-on-regression 10%      # for CI
    """,
)
@click.argument("a", metavar="A", shell_complete=_candidates)
@click.argument("b", metavar="B", shell_complete=_candidates)
@spool_option
@click.option(
    "--fail-on-regression",
    "limit",
    callback=_percent,
    metavar="PERCENT",
    help="Exit with 3 if a scope got slower by more than this, beyond noise; 10% and 10 are the same. Scopes that take "
    "less than 1 % of the run's time are not judged.",
)
@click.option("--name", metavar="S", help="Only scopes of exactly this name, and what is below them.")
@click.option("--limit", "most", type=click.IntRange(min=1), metavar="N", help="Show N scopes. [default: 20]")
@click.option("--no-color", is_flag=True, help="No colours, as when NO_COLOR is set or nobody watches.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON, times in nanoseconds.")
def diff_command(
    a: str,
    b: str,
    spool: Path,
    limit: float | None,
    name: str | None,
    most: int | None,
    no_color: bool,
    as_json: bool,
) -> int:
    """Compare two runs, A before and B after, scope by scope.

    A and B are each the id of a session in the spool, or how it begins, or the path of a spool or .cirron folder,
    whose newest run is meant, with all its ranks and workers. A folder goes before a session of the same name.

    Durations are typical ones: means without the slowest and fastest fifth, so that a warm-up or a stall does not
    pass for a change. The band of noise around a change tells what the spans' own variation explains; an arrow marks
    a change beyond it. In 95 of 100 comparisons of equal runs no scope at all gets one. That the machine itself was
    slower on one day than on another cannot be told from a change of the program.

    The contribution is what the scope itself, without those below it, added to the time of the run.
    """
    before, after = _sides(a, b, spool)
    if before.origin == after.origin:
        say("A and B are the same; see `cirron traces list` for others")
    difference = compare(before.times, after.times, name)
    _require_scopes(difference, name, before, after)
    if as_json:
        print(msgspec.json.encode(_as_dict(difference, before, after, limit, most)).decode())
    else:
        _print(difference, (before, after), most or _SHOWN, no_color=no_color)
    return 0 if limit is None else _judge(difference, limit)


def _sides(a: str, b: str, spool: Path) -> tuple[_Side, _Side]:
    first, second = _chosen("A", a, spool), _chosen("B", b, spool)
    before = _Side("A", first, times_of(first.reader, first.run, open_spans_of(first)))
    after = _Side("B", second, times_of(second.reader, second.run, open_spans_of(second)))
    mention(first.reader)
    if second.reader.spool != first.reader.spool:
        mention(second.reader)
    return before, after


def _chosen(letter: str, given: str, spool: Path) -> Chosen:
    """The run that an argument names."""
    if not given.strip():
        raise click.UsageError(f"{letter} is empty: name a session or the path of a spool.")
    if os.sep in given or Path(given).exists():
        return chosen(Path(given), None)
    return chosen(spool, given)


def _require_scopes(difference: Difference, name: str | None, *sides: _Side) -> None:
    if difference.changes:
        return
    if name is None:
        raise CirronError("there is nothing to compare: neither run has a scope")
    there = sorted({each for side in sides for path in side.times.scopes for each in path})
    raise CirronError(f"no scope is called '{name}' in A or B: there are {', '.join(there[:10])}")


def _as_dict(
    difference: Difference, before: _Side, after: _Side, limit: float | None, most: int | None
) -> dict[str, Any]:
    found = to_dict(difference, limit, most)
    for key, side in (("before", before), ("after", after)):
        found[key] |= {
            "sessions": side.sessions,
            "started_ns": side.choice.run.started_ns,
            "spool": str(side.choice.reader.spool).encode("utf-8", "replace").decode(),
        }
    return found


# ---- for a person ----


def _print(difference: Difference, sides: Sequence[_Side], most: int, *, no_color: bool) -> None:
    lines = [Text(line) for line in _header(sides)]
    lines += [Text(), *to_lines(difference, width=width_of(sys.stdout), most=most)]
    lines += [Text(), Text(conclusion(difference))]
    text = plain(lines) if no_color or not takes_colors(sys.stdout) else colored(lines)
    print(units.encodable(text, sys.stdout.encoding or "utf-8"), end="")
    if (hidden := len(difference.changes) - most) > 0:
        say(f"{units.counted(hidden, 'more scope')} changed less; see --limit")


def _header(sides: Sequence[_Side]) -> list[str]:
    rows = [_facts(side) for side in sides]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _facts(side: _Side) -> tuple[str, ...]:
    run, times = side.choice.run, side.times
    made_of = [units.counted(len(run.ranks), "rank")] if len(run.ranks) > 1 else []
    made_of += [units.counted(len(run.workers), "worker")] if run.workers else []
    return (
        side.letter,
        units.clean(side.choice.name),
        units.instant(run.started_ns),
        run_text(times.run_ns, times.cut_off),
        ", ".join([*made_of, times.cut_off] if times.cut_off else made_of),
    )


# ---- for a build ----


def _judge(difference: Difference, limit: float) -> int:
    """Say which scopes got slower by more than allowed; returns the exit code."""
    found = difference.regressions(limit)
    for change in found[:_NAMED]:
        say(f"Regression: {_regression(change)}")
    if (more := len(found) - _NAMED) > 0:
        say(f"Regression: {units.counted(more, 'more scope')}")
    if not any(change.shift for change in difference.changes):
        say("Warning: nothing could be judged: no scope has 5 spans on both sides; record longer runs")
    elif not found:
        say(f"No scope got slower by more than {limit * 100:g} % beyond noise")
    return REGRESSION if found else DONE


def _regression(change: Change) -> str:
    growth, times = change.growth or 0, (change.before_ns or 0, change.after_ns or 0)
    before, after = map(units.duration, times)
    noise = f", noise ±{change.noise_ns / times[0] * 100:.1f} %" if times[0] else ""
    return f"{path_text(change.path)} {signed_percent(growth)} ({before} → {after}{noise})"
