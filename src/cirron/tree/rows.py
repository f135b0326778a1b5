"""The lines of a tree's picture: what each says, before anyone decides how wide or in which colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import NamedTuple

from cirron.spool.records import ATTR_ENDED, SESSION_NAME
from cirron.tree import units
from cirron.tree.scope import Scope
from cirron.tree.series import Series

MOST_LINES = (
    1000  # a screen-filling tree is still a picture; beyond this it is a listing, for which there is JSON
)
MOST_DEPTH = 64  # the recorder's own limit; only a damaged file goes deeper
UNEVEN = 1.1  # of the median rank's time; more than that is worth a look
NAMES = 20  # siblings of different names; beyond, those that took least are only counted


class Fact(NamedTuple):
    """Words about a span, the style they are shown in, and fewer words for where room is short."""

    words: str
    style: str = "default"
    short: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line.

    Attributes:
        branch: the lines of the tree left of the name.
        label: the name with its index or count.
        duration: time in the span, or in all the spans of a folded line.
        share: that time as a part of the parent's; None for a root.
        facts: statistics, states, marks and attributes, the most important first.
    """

    branch: str
    label: str
    duration: str = ""
    share: float | None = None
    facts: Sequence[Fact] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Rest:
    """Siblings that found no room of their own."""

    scopes: Sequence[Scope]

    @property
    def total_ns(self) -> int:
        return sum(scope.total_ns for scope in self.scopes)

    def span_count(self) -> int:
        return sum(scope.span_count() for scope in self.scopes)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line stands: under which lines, how deep, and below how much time."""

    item: Scope | _Rest
    branch: str = ""
    below: str = ""  # what its children's branches begin with
    depth: int = 0
    parent_ns: int | None = None


def rows(top: Scope, depth: int | None = None) -> Iterator[Row]:
    """The lines for what is below `top`, at most `MOST_LINES`; spans that find no line are counted."""
    deepest = MOST_DEPTH if depth is None else depth
    roots = _with_room(top.in_order())
    pending = [_Place(item) for item in reversed(roots)]
    for _ in range(MOST_LINES):
        if not pending:
            return
        place = pending.pop()
        cut = place.depth >= deepest
        yield _row(place, len(roots) > 1, cut)
        if not cut:
            pending.extend(reversed(_children(place)))
    if pending:
        hidden = sum(place.item.span_count() for place in pending)
        yield Row(
            "", f"… and {units.counted(hidden, 'span')} more: look at a part with name=, last= or a depth"
        )


def _with_room(scopes: list[Scope]) -> list[Scope | _Rest]:
    """The scopes, the shortest of too many names joined in one line that counts them."""
    if len({scope.name for scope in scopes}) <= NAMES:
        return [*scopes]
    longest = sorted(scopes, key=lambda scope: scope.total_ns, reverse=True)
    kept = {id(scope) for scope in longest[:NAMES]}
    rest = [scope for scope in scopes if id(scope) not in kept]
    if len(rest) == 1:
        return [*scopes]
    return [*(scope for scope in scopes if id(scope) in kept), _Rest(rest)]


def _children(place: _Place) -> list[_Place]:
    if isinstance(place.item, _Rest):
        return []
    children = _with_room(place.item.in_order())
    total_ns = place.item.total_ns
    return [
        _Place(
            child,
            place.below + ("└─ " if child is children[-1] else "├─ "),
            place.below + ("   " if child is children[-1] else "│  "),
            place.depth + 1,
            total_ns,
        )
        for child in children
    ]


def _row(place: _Place, several_roots: bool, cut: bool) -> Row:
    item = place.item
    share = item.total_ns / place.parent_ns if place.parent_ns else None
    if isinstance(item, _Rest):
        facts = [Fact(f"{units.counted(item.span_count(), 'span')} not shown", "dim")]
        return Row(place.branch, _rest_label(item), units.duration(item.total_ns), share, facts)
    facts = list(_facts(item, several_roots and place.depth == 0))
    if cut and (below := item.span_count() - item.count):
        facts.append(Fact(f"{units.counted(below, 'span')} below", "dim"))
    duration = ("≥ " if item.unfinished else "") + units.duration(item.total_ns)
    return Row(place.branch, label(item), duration, share, facts)


def label(scope: Scope) -> str:
    """The scope's name with its index, or with how many spans it holds."""
    name = units.clean(scope.name)
    if scope.count > 1:
        return f"{name} {units.TIMES}{scope.count:,}"
    return name if scope.index is None else f"{name}[{scope.index}]"


def _rest_label(rest: _Rest) -> str:
    names = len({scope.name for scope in rest.scopes})
    return f"… {names:,} more names" if names > 1 else f"… {len(rest.scopes):,} more"


def _facts(scope: Scope, tell_apart: bool) -> Iterator[Fact]:
    ending = scope.attrs.get(ATTR_ENDED) if scope.count == 1 else None
    if ending is None:
        yield from _states(scope)
    elif ending != "completed":
        yield Fact(f"ended: {units.value(ending)}", "bold magenta")
    yield from _errors(scope)
    yield from _spread(scope)
    if scope.count > 1:
        yield Fact(f"mean {units.duration(scope.total_ns / scope.count)}")
        yield Fact(f"p95 {units.duration(scope.percentiles_ns(0.95)[0])}")
    if scope.name == SESSION_NAME:
        yield from _session(scope, tell_apart)
    yield from _resources(scope)
    for name, series in sorted(scope.series.items(), key=lambda named: named[1].first_ns):
        yield _mark(name, series)
    for key, recorded in scope.attrs.items():
        if key != "error" and not key.startswith("cirron."):
            yield Fact(f"{units.clean(key)}={units.value(recorded)}", "dim")


def _states(scope: Scope) -> Iterator[Fact]:
    """What has not ended, counted when the line stands for several spans."""
    states = (
        (scope.interrupted_count, "interrupted", "bold magenta"),
        (scope.open_count, "still open", "bold green"),
    )
    for count, words, style in states:
        if count:
            yield Fact(f"{count:,} {words}" if scope.count > 1 else words, style)


def _errors(scope: Scope) -> Iterator[Fact]:
    """The exceptions that left the spans; the commonest by name."""
    commonest = sorted(scope.errors.items(), key=lambda error: (-error[1], error[0]))[:2]
    for error, count in commonest:
        yield Fact((f"{count:,} {units.TIMES} " if scope.count > 1 else "") + units.value(error), "bold red")
    if more := scope.errors.total() - sum(count for _, count in commonest):
        yield Fact(units.counted(more, "other error"), "bold red")


def _spread(scope: Scope) -> Iterator[Fact]:
    """What the ranks of a run spent here, and which of them the least and the most."""
    if len(scope.rank_walls_ns) < 2:
        return
    walls_ns = scope.rank_walls_ns
    least, most = min(walls_ns, key=walls_ns.__getitem__), max(walls_ns, key=walls_ns.__getitem__)
    median_ns = median_low(walls_ns.values())
    style = "bold yellow" if walls_ns[most] > UNEVEN * median_ns else "default"
    low, high = units.duration(walls_ns[least]), units.duration(walls_ns[most])
    middle = units.duration(median_ns)
    yield Fact(
        f"by rank {low} (rank {least}) · {middle} · {high} (rank {most})",
        style,
        f"rank {least}: {low}, rank {most}: {high}",
    )


def _session(scope: Scope, tell_apart: bool) -> Iterator[Fact]:
    if tell_apart and scope.count == 1:
        yield Fact(f"session {units.clean(scope.span_id[:8])}")
    overhead_ns = scope.overhead_ns
    if overhead_ns and scope.total_ns:
        yield Fact(f"recording cost {units.fine_percent(overhead_ns / scope.total_ns)}", "dim")


def _resources(scope: Scope) -> Iterator[Fact]:
    if scope.gpu_ns:
        yield Fact(f"gpu {units.duration(scope.gpu_ns)}")
    if scope.memory_peak_bytes:
        yield Fact(f"peak {units.size(scope.memory_peak_bytes)}")


def _mark(name: str, series: Series) -> Fact:
    """The last value and, of a series of numbers, its course."""
    mark = series.last
    words = units.value(None if mark is None else mark.value_nonfinite or mark.value)
    last = f"{units.clean(name)} {words}"
    course = units.sparkline([value for _, value in series.points()])
    return Fact(f"{last} {course}".rstrip(), "dim", last)
