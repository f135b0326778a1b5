"""All spans of one path as one thing: how many, how long, what was marked in them, and the scopes below.

A spool of five million spans has perhaps fifty scopes, so this is what is kept of it, and not the spans.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator

from cirron.spool.records import ATTR_DATA_LOAD, ATTR_INTERRUPTED, OVERHEAD_MARK, AnyMark, AnySpan, Attrs
from cirron.tree.scope_name import scope_name
from cirron.tree.series import Series

FEW = 5  # siblings of one name that stand one by one


class Scope:
    """The spans of one name under one parent; a single span that stands alone is one too.

    Attributes:
        name: of its spans, as `scope_name` gives it.
        span_id, index: of its span; empty and None where there are several.
        parent: the scope around it; None for the top of a picture.
        count: spans that have ended, were interrupted or are still open.
        walls_ns: how long each of those with an end took, in no order.
        ended_ns: the sum of these.
        unfinished: spans without an end, and when each began.
        interrupted_count: those of them whose process died or ended around them.
        unfinished_ns: how long those are known to have been open, together; set by `settle`.
        start_ns, end_ns: when the first began and the last ended.
        gpu_ns: device time of all its spans.
        memory_peak_bytes: the most that any of them reported.
        data_load_ns: how long those that have ended waited for their item of a data loader, together.
        outside_ns: the part of their time after the end of the span they were begun in, as of a task that outlives it.
        own_overhead_ns: what the spans say that recording cost in them.
        attrs: what all the spans have in common.
        errors: the exceptions that left spans, by name.
        series: marks by name, without the recorder's bookkeeping.
        children: the scopes below by name; several of one name while they stand one by one.
        rank_walls_ns: total time by rank, where several ranks of a run are looked at together.
        into: the scope that took this one in, and stands for it from then on.
    """

    __slots__ = (
        "attrs", "children", "count", "data_load_ns", "end_ns", "ended_ns", "errors", "gpu_ns", "index",
        "interrupted_count", "into", "memory_peak_bytes", "name", "outside_ns", "own_overhead_ns", "parent",
        "rank_walls_ns", "series", "span_id", "start_ns", "unfinished", "unfinished_ns", "walls_ns",
    )  # fmt: skip

    def __init__(self, name: str, parent: Scope | None = None) -> None:
        self.name = name
        self.span_id = ""
        self.index: int | None = None
        self.parent = parent
        self.count = 0
        self.walls_ns = array("q")
        self.ended_ns = 0
        self.unfinished: dict[str, int] = {}
        self.interrupted_count = 0
        self.unfinished_ns = 0
        self.start_ns = 0
        self.end_ns = 0
        self.gpu_ns = 0
        self.memory_peak_bytes = 0
        self.data_load_ns = 0
        self.outside_ns = 0
        self.own_overhead_ns = 0
        self.attrs: Attrs = {}
        self.errors: Counter[str] = Counter()
        self.series: dict[str, Series] = {}
        self.children: dict[str, list[Scope]] = {}
        self.rank_walls_ns: dict[int, int] = {}
        self.into: Scope | None = None

    # ---- what it says ----

    @property
    def open_count(self) -> int:
        """Spans without an end whose process may still be in them."""
        return len(self.unfinished) - self.interrupted_count

    @property
    def total_ns(self) -> int:
        """Time in all the spans together; at least, as long as some have not ended."""
        return self.ended_ns + self.unfinished_ns

    @property
    def below_ns(self) -> int:
        """Time in the scopes below while this one lasted; more than it took where they ran beside each other."""
        return sum(child.total_ns - child.outside_ns for child in self.scopes())

    @property
    def self_ns(self) -> int:
        """The part of the time outside of the scopes below; 0 where those ran beside each other and make up more."""
        return max(0, self.total_ns - self.below_ns)

    @property
    def mean_ns(self) -> float:
        """Of the spans that have an end; where none has, of all, as far as they are known to have lasted."""
        return self.ended_ns / len(self.walls_ns) if self.walls_ns else self.total_ns / max(1, self.count)

    @property
    def overhead_ns(self) -> int:
        """What recording cost in these spans and below.

        A span's own figure holds what lies below it on the same thread or task, but not what was recorded on others
        that were started inside it: whichever is more counts.
        """
        totals_ns: dict[int, int] = {}
        for scope in reversed(list(self.walk())):  # children before their parents
            below_ns = sum(totals_ns[id(child)] for child in scope.scopes())
            totals_ns[id(scope)] = max(scope.own_overhead_ns, below_ns)
        return totals_ns[id(self)]

    def percentiles_ns(self, *shares: float) -> list[int]:
        """For each share, such as 0.95, the duration that so many of the spans that ended do not exceed.

        Raises:
            ValueError: none has ended.
        """
        walls_ns = sorted(self.walls_ns)
        if not walls_ns:
            raise ValueError("no span has ended, so there is no duration to tell")
        return [walls_ns[max(0, math.ceil(len(walls_ns) * share) - 1)] for share in shares]

    def scopes(self) -> Iterator[Scope]:
        """The scopes below, in no order."""
        for group in self.children.values():
            yield from group

    def in_order(self) -> list[Scope]:
        """The scopes below in the order they began."""
        return sorted(self.scopes(), key=lambda scope: (scope.start_ns, scope.end_ns, scope.name))

    def walk(self) -> Iterator[Scope]:
        """This scope and all below it, parents first; without recursion, for a damaged file may nest deeply."""
        pending = [self]
        while pending:
            scope = pending.pop()
            yield scope
            pending.extend(scope.scopes())

    def span_count(self) -> int:
        """The spans in this scope and below."""
        return sum(scope.count for scope in self.walk())

    def earliest_ns(self) -> int:
        """The earliest instant of which something below tells; 0 where there is nothing."""
        begun_ns = [scope.start_ns for scope in self.scopes()]
        begun_ns += [series.first_ns for series in self.series.values()]
        return min(begun_ns, default=0)

    def standing(self) -> Scope:
        """The scope that this one was merged into, if it was."""
        scope = self
        while scope.into is not None:
            scope = scope.into
        return scope

    def lies_within(self, outer: Scope) -> bool:
        """Whether this is the other scope, or somewhere below it."""
        scope: Scope | None = self
        while scope is not None:
            if scope is outer:
                return True
            scope = scope.parent
        return False

    # ---- taking in spans ----

    def child(self, span: AnySpan, few: int) -> Scope:
        """The scope below that the span belongs to, after it was counted there.

        Args:
            span: whose parent is in this scope.
            few: how many spans of one name may stand one by one below a single span.
        """
        name = scope_name(span)
        group = self.children.get(name)
        if group is not None and (group[0].count > 1 or self.count > 1 or few == 1):
            scope = group[0]
            scope._add(span)
            return scope
        scope = Scope(name)
        scope._add(span)
        return self.adopt(scope, few)

    def adopt(self, scope: Scope, few: int) -> Scope:
        """Take a scope in below this one; returns what stands for it from now on."""
        scope.parent = self
        group = self.children.setdefault(scope.name, [])
        group.append(scope)
        limit = few if self.count <= 1 else 1
        if len(group) > limit or (len(group) > 1 and any(member.count > 1 for member in group)):
            return _united(group)
        return scope

    def take_over(self, other: Scope, few: int) -> None:
        """Take in what is below another scope, and the marks in it, but none of its spans."""
        for scope in list(other.scopes()):
            self.adopt(scope, few)
        self._merge_marks(other)

    def fill(self, span: AnySpan) -> None:
        """Make this the scope of a span whose children or marks came before it, perhaps as they outlived it."""
        self.name = scope_name(span)
        if span.end_ns is not None:
            for child in self.scopes():
                child.outlive(span.end_ns)
        self._add(span)

    def outlive(self, end_ns: int) -> None:
        """Note that what is around these spans ended then; of several it is not known how long each went on."""
        if self.end_ns > end_ns:
            beyond_ns = self.end_ns - max(end_ns, self.start_ns)
            self.outside_ns = min(self.ended_ns, beyond_ns * self.count)

    def close(self, span: AnySpan) -> None:
        """Count the time of a span that was met before, when it was still open."""
        if span.end_ns is not None and self.unfinished.pop(span.id, None) is not None:
            if self.count == 1:
                self.attrs = span.attrs
            self._add_rest(span)
            self._add_wall(span.start_ns, span.end_ns)

    def _add(self, span: AnySpan) -> None:
        self.count += 1
        if self.count <= 2:
            self._add_shape(span)
        elif span.start_ns < self.start_ns:
            self.start_ns = span.start_ns
        if self.attrs:
            self.attrs = _common(self.attrs, span.attrs)
        if (
            span.end_ns is None
            or span.attrs
            or span.gpu_ns
            or (span.memory_peak_bytes or 0) > self.memory_peak_bytes
        ):
            self._add_rest(span)
        if span.end_ns is not None:
            self._add_wall(span.start_ns, span.end_ns)

    def _add_shape(self, span: AnySpan) -> None:
        """What changes with the first span, and with the one that makes several of it."""
        if self.count == 1:
            self.span_id, self.index = span.id, span.index
            self.start_ns, self.attrs = span.start_ns, span.attrs
        else:
            self._fold()
            self.start_ns = min(self.start_ns, span.start_ns)

    def _add_wall(self, start_ns: int, end_ns: int) -> None:
        wall_ns = end_ns - start_ns
        if wall_ns < 0:
            wall_ns = 0
        self.walls_ns.append(wall_ns)
        self.ended_ns += wall_ns
        if end_ns > self.end_ns:
            self.end_ns = end_ns

    def _add_rest(self, span: AnySpan) -> None:
        """What most spans do not have."""
        if span.end_ns is None:
            self.unfinished[span.id] = span.start_ns
            self.interrupted_count += bool(span.attrs.get(ATTR_INTERRUPTED))
        self.gpu_ns += span.gpu_ns or 0
        self.memory_peak_bytes = max(self.memory_peak_bytes, span.memory_peak_bytes or 0)
        if span.end_ns is not None and isinstance(waited_ns := span.attrs.get(ATTR_DATA_LOAD), int):
            self.data_load_ns += waited_ns
        if error := span.attrs.get("error"):
            self.errors[str(error)] += 1

    def mark(self, mark: AnyMark) -> None:
        """Take in a mark that was made in one of the spans."""
        if mark.name == OVERHEAD_MARK:
            if isinstance(mark.value, int):
                self.own_overhead_ns += mark.value
            return
        series = self.series.get(mark.name)
        if series is None:
            series = self.series[mark.name] = Series()
        series.add(mark)

    def settle(self, until_ns: int) -> None:
        """Say up to when spans without an end are known to have been open, here and below; may be said again."""
        for scope in self.walk():
            begun_ns = scope.unfinished.values()
            scope.unfinished_ns = sum(max(0, until_ns - start_ns) for start_ns in begun_ns)

    def copy(self) -> Scope:
        """The same with nothing in common that may change, here and below."""
        top = Scope(self.name)
        pending = [(self, top)]
        while pending:
            scope, twin = pending.pop()
            twin._merge_shape(scope)
            twin._merge_times(scope)
            twin._merge_marks(scope)
            twin.errors.update(scope.errors)
            twin.span_id, twin.index = scope.span_id, scope.index
            for below in scope.scopes():
                twin_below = Scope(below.name, twin)
                twin.children.setdefault(below.name, []).append(twin_below)
                pending.append((below, twin_below))
        return top

    # ---- becoming one of several ----

    def _fold(self) -> None:
        """Several spans share what follows, so scopes of one name below become one."""
        self.span_id, self.index = "", None
        for group in self.children.values():
            if len(group) > 1:
                _united(group)

    def _merge(self, other: Scope) -> None:
        """Take in all the spans of another scope, and what is below it, which is not made one yet."""
        self._merge_shape(other)
        self._merge_times(other)
        self._merge_marks(other)
        self.errors.update(other.errors)
        for scope in other.scopes():
            scope.parent = self
            self.children.setdefault(scope.name, []).append(scope)
        other.into = self

    def _merge_marks(self, other: Scope) -> None:
        self.own_overhead_ns += other.own_overhead_ns
        for name, series in other.series.items():
            self.series.setdefault(name, Series()).merge(series)

    def _merge_shape(self, other: Scope) -> None:
        if self.count and other.count:
            self.attrs = _common(self.attrs, other.attrs)
            self.start_ns = min(self.start_ns, other.start_ns)
        elif other.count:
            self.attrs, self.start_ns = other.attrs, other.start_ns
        self.count += other.count

    def _merge_times(self, other: Scope) -> None:
        self.walls_ns.extend(other.walls_ns)
        self.ended_ns += other.ended_ns
        self.unfinished.update(other.unfinished)
        self.unfinished_ns += other.unfinished_ns
        self.interrupted_count += other.interrupted_count
        self.end_ns = max(self.end_ns, other.end_ns)
        self.gpu_ns += other.gpu_ns
        self.memory_peak_bytes = max(self.memory_peak_bytes, other.memory_peak_bytes)
        self.data_load_ns += other.data_load_ns
        self.outside_ns += other.outside_ns
        for rank, wall_ns in other.rank_walls_ns.items():
            self.rank_walls_ns[rank] = self.rank_walls_ns.get(rank, 0) + wall_ns


def _united(group: list[Scope]) -> Scope:
    """Make one scope of several, in place, and likewise below; the first takes in the others."""
    pending = [group]
    while pending:
        first, *others = members = pending.pop()
        del members[1:]
        for other in others:
            first._merge(other)
        first.span_id, first.index = "", None
        pending.extend(below for below in first.children.values() if len(below) > 1)
    return group[0]


def _common(mine: Attrs, other: Attrs) -> Attrs:
    return {key: value for key, value in mine.items() if key in other and other[key] == value}
