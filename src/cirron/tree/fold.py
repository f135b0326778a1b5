"""Siblings grouped for display: a few stand one by one, many of one name become one line.

Below a folded line stand the children of all the spans in it, merged by name in the same way, so that the
shape of one of them can be seen and the totals still add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from cirron.spool.records import OVERHEAD_MARK, Mark
from cirron.tree.build import Node

FEW = 5  # siblings of one name that stand one by one
NAMES = 20  # siblings of different names; beyond, the shortest are only counted


@dataclass(frozen=True)
class Item:
    """What one line stands for: a span, a fold of spans of one name, or the rest that found no room.

    Attributes:
        nodes: the spans in the order they began.
        rest: they differ in name and are only counted.
    """

    nodes: Sequence[Node]
    rest: bool = False

    @property
    def folded(self) -> bool:
        """Whether several spans share the line."""
        return len(self.nodes) > 1 or self.rest

    @cached_property
    def total_ns(self) -> int:
        """Time in all the spans together."""
        return sum(node.wall_ns for node in self.nodes)

    @property
    def complete(self) -> bool:
        """Whether every span has ended."""
        return all(node.span.end_ns is not None for node in self.nodes)

    def p95_ns(self) -> int:
        """The duration that 95 of 100 of the spans do not exceed."""
        walls_ns = sorted(node.wall_ns for node in self.nodes)
        return walls_ns[math.ceil(len(walls_ns) * 0.95) - 1]

    def children(self) -> list[Item]:
        """The lines below this one."""
        if self.rest:
            return []
        if len(self.nodes) == 1:
            return items(self.nodes[0].children)
        return _with_room(_by_name(chain.from_iterable(node.children for node in self.nodes)))

    def marks(self) -> dict[str, list[Mark]]:
        """The marks by name, each list in time order, without the recorder's bookkeeping."""
        series: dict[str, list[Mark]] = {}
        for node in self.nodes:
            for mark in node.marks:
                if mark.name != OVERHEAD_MARK:
                    series.setdefault(mark.name, []).append(mark)
        for marks in series.values():
            marks.sort(key=_time)
        return series

    def attrs(self) -> dict[str, object]:
        """The attributes that all the spans share, without the recorder's own."""
        nodes = iter(self.nodes)
        shared = {
            k: v for k, v in next(nodes).span.attrs.items() if k != "error" and not k.startswith("cirron.")
        }
        for node in nodes:
            if not shared:
                break
            shared = {k: v for k, v in shared.items() if k in node.span.attrs and node.span.attrs[k] == v}
        return shared

    def span_count(self) -> int:
        """The spans on this line and everything below them."""
        return sum(1 for _ in _all_below(self.nodes))


def items(siblings: Iterable[Node]) -> list[Item]:
    """The lines for siblings under one parent, or for roots."""
    lines: list[Item] = []
    for item in _by_name(siblings):
        lines.extend([item] if len(item.nodes) > FEW else [Item([node]) for node in item.nodes])
    lines.sort(key=_began)
    return _with_room(lines)


def overhead_ns(nodes: Iterable[Node]) -> int:
    """What recording cost in these spans and below.

    A span's own figure holds what lies below it on the same thread or task, but not what was recorded on others that
    were started inside it: whichever is more counts.
    """
    tops = list(nodes)
    totals_ns: dict[int, int] = {}
    for node in reversed(list(_all_below(tops))):  # children before their parents
        own_ns = max(
            (m.value for m in node.marks if m.name == OVERHEAD_MARK and isinstance(m.value, int)), default=0
        )
        totals_ns[id(node)] = max(own_ns, sum(totals_ns[id(child)] for child in node.children))
    return sum(totals_ns[id(node)] for node in tops)


def _by_name(nodes: Iterable[Node]) -> list[Item]:
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault(node.span.name, []).append(node)
    return [Item(group) for group in groups.values()]


def _with_room(lines: list[Item]) -> list[Item]:
    """The lines, the shortest of too many names joined in one that counts them."""
    if len({line.nodes[0].span.name for line in lines}) <= NAMES:
        return lines
    longest = sorted(lines, key=lambda line: line.total_ns, reverse=True)
    kept = {id(line) for line in longest[:NAMES]}
    rest = [node for line in lines if id(line) not in kept for node in line.nodes]
    if len(rest) == 1:
        return lines
    return [*(line for line in lines if id(line) in kept), Item(rest, rest=True)]


def _all_below(nodes: Iterable[Node]) -> Iterator[Node]:
    pending = list(nodes)
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.children)


def _began(item: Item) -> int:
    return item.nodes[0].span.start_ns


def _time(mark: Mark) -> int:
    return mark.ts_ns
