"""The lines of a tree's picture: what each says, before anyone decides how wide or in which colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cirron.spool.records import ATTR_ENDED, SESSION_NAME, Mark
from cirron.tree import fold, units
from cirron.tree.build import Node, Tree

MOST_LINES = (
    1000  # a screen-filling tree is still a picture; beyond this it is a listing, for which there is JSON
)
MOST_DEPTH = 64  # the recorder's own limit; only a damaged file goes deeper


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
class _Place:
    """Where an item stands: under which lines, how deep, and below how much time."""

    item: fold.Item
    branch: str = ""
    below: str = ""  # what its children's branches begin with
    depth: int = 0
    parent_ns: int | None = None


def rows(tree: Tree, depth: int | None = None) -> Iterator[Row]:
    """The lines of a tree from top to bottom, at most `MOST_LINES`; spans that find no line are counted."""
    deepest = MOST_DEPTH if depth is None else depth
    several = len(tree.roots) > 1
    pending = [_Place(item) for item in reversed(fold.items(tree.roots))]
    for _ in range(MOST_LINES):
        if not pending:
            return
        place = pending.pop()
        cut = place.depth >= deepest
        yield _row(place, several, cut)
        if not cut:
            pending.extend(reversed(_children(place)))
    if pending:
        hidden = sum(place.item.span_count() for place in pending)
        yield Row(
            "", f"… and {units.counted(hidden, 'span')} more: look at a part with name=, last= or a depth"
        )


def _children(place: _Place) -> list[_Place]:
    children = place.item.children()
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
    duration = ("" if item.complete else "≥ ") + units.duration(item.total_ns)
    facts = list(_facts(item, several_roots and place.depth == 0))
    if cut and not item.rest and (below := item.span_count() - len(item.nodes)):
        facts.append(Fact(f"{units.counted(below, 'span')} below", "dim"))
    return Row(place.branch, _label(item), duration, share, facts)


def _label(item: fold.Item) -> str:
    if item.rest:
        names = len({node.span.name for node in item.nodes})
        return f"… {names:,} more names" if names > 1 else f"… {len(item.nodes):,} more"
    span = item.nodes[0].span
    name = units.clean(span.name)
    if item.folded:
        return f"{name} {units.TIMES}{len(item.nodes):,}"
    return name if span.index is None else f"{name}[{span.index}]"


def _facts(item: fold.Item, tell_apart: bool) -> Iterator[Fact]:
    if item.rest:
        yield Fact(f"{units.counted(item.span_count(), 'span')} not shown", "dim")
        return
    ending = None if item.folded else item.nodes[0].span.attrs.get(ATTR_ENDED)
    if ending is None:
        yield from _states(item)
    elif ending != "completed":
        yield Fact(f"ended: {units.value(ending)}", "bold magenta")
    yield from _errors(item)
    if item.folded:
        yield Fact(f"mean {units.duration(item.total_ns / len(item.nodes))}")
        yield Fact(f"p95 {units.duration(item.p95_ns())}")
    if item.nodes[0].span.name == SESSION_NAME:
        yield from _session(item, tell_apart)
    yield from _resources(item.nodes)
    for name, marks in item.marks().items():
        yield _mark(name, marks)
    for key, recorded in item.attrs().items():
        yield Fact(f"{units.clean(key)}={units.value(recorded)}", "dim")


def _states(item: fold.Item) -> Iterator[Fact]:
    """What has not ended, counted when the line stands for several spans."""
    for state, style in (("interrupted", "bold magenta"), ("open", "bold green")):
        if count := sum(1 for node in item.nodes if node.state == state):
            words = "still open" if state == "open" else state
            yield Fact(f"{count:,} {words}" if item.folded else words, style)


def _errors(item: fold.Item) -> Iterator[Fact]:
    """The exceptions that left the spans; the commonest by name."""
    errors = Counter(str(node.span.attrs["error"]) for node in item.nodes if node.span.attrs.get("error"))
    for error, count in errors.most_common(2):
        yield Fact((f"{count:,} {units.TIMES} " if item.folded else "") + units.value(error), "bold red")
    if more := sum(errors.values()) - sum(count for _, count in errors.most_common(2)):
        yield Fact(units.counted(more, "other error"), "bold red")


def _session(item: fold.Item, tell_apart: bool) -> Iterator[Fact]:
    span = item.nodes[0].span
    if tell_apart and not item.folded:
        yield Fact(f"session {units.clean(span.id[:8])}")
    overhead_ns = fold.overhead_ns(item.nodes)
    if overhead_ns and item.total_ns:
        yield Fact(f"recording cost {units.fine_percent(overhead_ns / item.total_ns)}", "dim")


def _resources(nodes: Sequence[Node]) -> Iterator[Fact]:
    if gpu_ns := sum(node.span.gpu_ns or 0 for node in nodes):
        yield Fact(f"gpu {units.duration(gpu_ns)}")
    if peak := max((node.span.memory_peak_bytes or 0 for node in nodes), default=0):
        yield Fact(f"peak {units.size(peak)}")


def _mark(name: str, marks: Sequence[Mark]) -> Fact:
    """The last value and, of a series of numbers, its course."""
    values = [mark.value for mark in marks]
    course = [
        float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    last = f"{units.clean(name)} {units.value(marks[-1].value_nonfinite or values[-1])}"
    return Fact(f"{last} {units.sparkline(course)}".rstrip(), "dim", last)
