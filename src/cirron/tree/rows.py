"""The lines of a tree's picture: what each says, before anyone decides how wide or in which colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import NamedTuple

from cirron.spool.records import ATTR_DATA_LOAD, ATTR_ENDED, MEMORY, REQUEST_NAME, SESSION_NAME
from cirron.tree import units
from cirron.tree.hottest import ScopePath, hottest_path
from cirron.tree.scope import Scope
from cirron.tree.series import Series
from cirron.tree.slow_rank import is_uneven, slowest, told_from_ns

MOST_LINES = (
    1000  # a screen-filling tree is still a picture; beyond this it is a listing, for which there is JSON
)
MOST_DEPTH = 64  # the recorder's own limit; only a damaged file goes deeper
MUCH_WAITING = 0.2  # of a scope's time
_DURATION_CELLS = 7  # of most durations
NAMES = 20  # siblings of different names; beyond, those that took least are only counted


class Fact(NamedTuple):
    """Words about a span, the style they are shown in, and fewer words for where room is short, the most first."""

    words: str
    style: str = "default"
    shorter: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One line.

    Attributes:
        branch: the lines of the tree left of the name.
        label: the name with its index or count.
        duration: time in the span, or in all the spans of a folded line.
        share: that time as a part of the parent's; None for a root.
        facts: statistics, states, marks and attributes, the most important first.
        is_hottest: whether this is where most of the time went.
    """

    branch: str
    label: str
    duration: str = ""
    share: float | None = None
    facts: Sequence[Fact] = field(default_factory=list)
    is_hottest: bool = False


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
    path_above: ScopePath = ()

    @property
    def path(self) -> ScopePath:
        """The names down to here, without the session's own where there are others."""
        above = () if self.path_above == (SESSION_NAME,) else self.path_above
        return (*above, self.item.name) if isinstance(self.item, Scope) else ()


@dataclass(frozen=True, slots=True)
class _Whole:
    """What has to be known of the whole picture to draw one of its lines."""

    has_several_roots: bool
    hottest: ScopePath | None
    uneven_from_ns: float


def rows(top: Scope, depth: int | None = None) -> Iterator[Row]:
    """The lines for what is below `top`, at most `MOST_LINES`; spans that find no line are counted."""
    deepest = MOST_DEPTH if depth is None else depth
    roots = _with_room(top.in_order())
    whole = _Whole(len(roots) > 1, hottest_path(top), told_from_ns(top))
    pending = [_Place(item) for item in reversed(roots)]
    for _ in range(MOST_LINES):
        if not pending:
            return
        place = pending.pop()
        cut = place.depth >= deepest
        yield _row(place, whole, cut)
        if not cut:
            pending.extend(reversed(_children(place)))
    if pending:
        hidden = sum(place.item.span_count() for place in pending)
        hint = "look at a part (name, last) or at fewer levels (depth)"
        yield Row("", f"… and {units.counted(hidden, 'span')} more: {hint}")


def _with_room(scopes: list[Scope]) -> list[Scope | _Rest]:
    """The scopes; of too many names the shortest, but none that failed, share one line that counts them."""
    if len({scope.name for scope in scopes}) <= NAMES:
        return [*scopes]
    longest = sorted(scopes, key=lambda scope: (_is_in_trouble(scope), scope.total_ns), reverse=True)
    kept = {id(scope) for scope in longest[:NAMES]}
    rest = [scope for scope in scopes if id(scope) not in kept]
    if len(rest) == 1:
        return [*scopes]
    return [*(scope for scope in scopes if id(scope) in kept), _Rest(rest)]


def _is_in_trouble(scope: Scope) -> bool:
    return bool(scope.errors or scope.unfinished)


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
            place.path,
        )
        for child in children
    ]


def _row(place: _Place, whole: _Whole, cut: bool) -> Row:
    item = place.item
    share = item.total_ns / place.parent_ns if place.parent_ns else None
    if isinstance(item, _Rest):
        facts = [Fact(f"{units.counted(item.span_count(), 'span')} not shown", "dim")]
        return Row(place.branch, _rest_label(item), units.duration(item.total_ns), share, facts)
    facts = list(_facts(item, whole, place.depth == 0))
    if cut and (below := item.span_count() - item.count):
        facts.append(Fact(f"{units.counted(below, 'span')} below", "dim"))
    duration = ("≥ " if item.unfinished else "") + units.duration(item.total_ns)
    return Row(place.branch, label(item), duration, share, facts, place.path == whole.hottest)


def label(scope: Scope) -> str:
    """The scope's name with its index, or with how many spans it holds."""
    name = units.name(scope.name)
    if scope.count > 1:
        return f"{name} {units.TIMES}{scope.count:,}"
    return name if scope.index is None else f"{name}[{scope.index}]"


def _rest_label(rest: _Rest) -> str:
    names = len({scope.name for scope in rest.scopes})
    return f"… {names:,} more names" if names > 1 else f"… {len(rest.scopes):,} more"


def _facts(scope: Scope, whole: _Whole, is_root: bool) -> Iterator[Fact]:
    ending = scope.attrs.get(ATTR_ENDED) if scope.count == 1 else None
    if ending is None:
        yield from _states(scope)
    elif ending != "completed":
        yield _told("ended: ", str(ending), "bold magenta", (str(ending).removeprefix("exception: "),))
    yield from _errors(scope)
    yield from _spread(scope, whole.uneven_from_ns)
    waits_much = scope.data_load_ns > MUCH_WAITING * scope.total_ns
    if waits_much:
        yield _waiting(scope)
    yield from _statistics(scope)
    if scope.name == SESSION_NAME:
        yield from _session(scope, whole.has_several_roots and is_root)
    yield from _resources(scope)
    for name, series in sorted(scope.series.items(), key=lambda named: named[1].first_ns):
        yield _mark(name, series)
    if scope.data_load_ns and not waits_much:
        yield _waiting(scope)
    for key, recorded in scope.attrs.items():
        is_told = key in ("error", ATTR_DATA_LOAD) or scope.name == f"{REQUEST_NAME} {recorded}"
        if not is_told and not key.startswith("cirron."):
            yield _told(f"{units.clean(key)}=", recorded, "dim")


def _told(head: str, recorded: object, style: str, shorter: Sequence[str] = ()) -> Fact:
    """A recorded value in full, and the beginning of it for where room is short."""
    whole, brief = units.whole_value(recorded), units.value(recorded)
    cut = () if brief == whole else (head + brief,)
    return Fact(head + whole, style, (*cut, *map(units.clean, shorter)))


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
        yield _told(f"{count:,} {units.TIMES} " if scope.count > 1 else "", error, "bold red")
    if more := scope.errors.total() - sum(count for _, count in commonest):
        yield Fact(units.counted(more, "other error"), "bold red")


def _spread(scope: Scope, uneven_from_ns: float) -> Iterator[Fact]:
    """What the ranks of a run spent here, and which of them the least and the most."""
    if len(scope.rank_walls_ns) < 2:
        return
    walls_ns = scope.rank_walls_ns
    least, most = min(walls_ns, key=walls_ns.__getitem__), slowest(scope)
    low, high = (f"rank {rank}: {units.duration(walls_ns[rank])}" for rank in (least, most))
    middle = f"median {units.duration(median_low(walls_ns.values()))}"
    style = "magenta" if is_uneven(scope, uneven_from_ns) else "default"
    yield Fact(f"{low} · {middle} · {high}", style, (f"{low} · {high}", f"max {high}"))


def _statistics(scope: Scope) -> Iterator[Fact]:
    if scope.count > 1:
        yield _aligned("mean", scope.mean_ns)
    if scope.count > 1 and scope.walls_ns:
        yield _aligned("p95", scope.percentiles_ns(0.95)[0])


def _aligned(name: str, ns: float) -> Fact:
    """A duration under those of other lines, if there is room for that."""
    duration = units.duration(ns)
    return Fact(f"{name} {duration:>{_DURATION_CELLS}}", shorter=(f"{name} {duration}",))


def _waiting(scope: Scope) -> Fact:
    waited = units.duration(scope.data_load_ns)
    return Fact(f"data wait {waited}", shorter=(f"data {waited}",))


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


def _memory(name: str, value_bytes: int) -> Fact:
    """What a phase did to the memory, in the units in which memory is told."""
    what = name.removeprefix(MEMORY).removesuffix("_bytes")
    sign = ("-" if value_bytes < 0 else "+") if what == "growth" else ""
    return Fact(
        f"memory {what} {sign}{units.size(abs(value_bytes))}",
        "dim",
        (f"{what} {sign}{units.size(abs(value_bytes))}",),
    )


def _mark(name: str, series: Series) -> Fact:
    """The last value and, of a series of numbers, its course."""
    mark = series.last
    value = None if mark is None else mark.value_nonfinite or mark.value
    if name.startswith(MEMORY) and isinstance(value, int):
        last = _memory(name, value)
    else:
        last = _told(f"{units.clean(name)} ", value, "dim")
    course = units.sparkline([value for _, value in series.points()])
    return Fact(f"{last.words} {course}", "dim", (last.words, *last.shorter)) if course else last
