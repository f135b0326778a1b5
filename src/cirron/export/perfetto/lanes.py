"""Puts spans into lanes, in which slices lie inside each other and never overlap.

A viewer closes the slice that was opened last, so a lane must be opened and closed like a stack. A thread's spans
fill one lane as long as its scopes nest. Those of interleaved tasks, or one that outlives its parent, begin a lane of
their own beside it, with all that is below them.

Spans may arrive in millions, so there is an array for each of their facts and no object for a span.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

_NONE = -1


class Lanes:
    """Spans, each known by the number of its arrival.

    A parent that arrives before its child does not know it: feed children first, as they close.

    Example:
        lanes = Lanes()
        lanes.add("b", "a", 2, 3, place=0)
        lanes.add("a", None, 1, 4, place=0)
        for place, lane, top in lanes.tops():
            print(place, lane, [*lanes.events(top)])   # 0 0 [1, 0, -1, -2]
    """

    def __init__(self) -> None:
        self.starts_ns = array("q")
        self.ends_ns = array("q")
        self._places = array("i")
        self._first_child = array("i")  # of a list whose links are the next array
        self._next_sibling = array("i")
        self._awaited: dict[str, int] = {}  # by parent: the children that have come, as such a list
        self._tops: list[int] = []

    def add(self, span_id: str, parent_id: str | None, start_ns: int, end_ns: int, place: int) -> int:
        """Take a span; `place` is a number for its thread. Returns its own number."""
        number = len(self.starts_ns)
        self.starts_ns.append(start_ns)
        self.ends_ns.append(end_ns)
        self._places.append(place)
        self._first_child.append(self._awaited.pop(span_id, _NONE))
        if parent_id is None:
            self._tops.append(number)
            self._next_sibling.append(_NONE)
        else:
            self._next_sibling.append(self._awaited.get(parent_id, _NONE))
            self._awaited[parent_id] = number
        return number

    def adopt(self, root_of: dict[int, int]) -> None:
        """Hang spans whose parents never came under the root of their session.

        Args:
            root_of: the number of that root, by place; where there is none they stand alone.
        """
        for first in self._awaited.values():
            for orphan in [*self._listed(first)]:
                root = root_of.get(self._places[orphan])
                if root is None:
                    self._tops.append(orphan)
                else:
                    self._next_sibling[orphan] = self._first_child[root]
                    self._first_child[root] = orphan
        self._awaited.clear()

    def tops(self) -> Iterator[tuple[int, int, int]]:
        """The place, lane and number of each span that lies in no other, place by place, in the order they begin."""
        for parent, first in enumerate(self._first_child):
            if first != _NONE:
                self._seat_children(parent)
        by_place: dict[int, list[int]] = {}
        for top in self._tops:
            by_place.setdefault(self._places[top], []).append(top)
        for place, tops in sorted(by_place.items()):
            for lane, top in self._beside_each_other(tops):
                yield place, lane, top

    def events(self, top: int) -> Iterator[int]:
        """What happens in a lane from the beginning of a top span to its end.

        A span's number where it begins, the number's complement (`~number`) where it ends. Events of one instant
        come in the order in which they nest.
        """
        pending = [top]
        while pending:
            number = pending.pop()
            yield number
            if number >= 0:
                pending.append(~number)
                pending.extend(self._listed(self._first_child[number]))

    def _seat_children(self, parent: int) -> None:
        """Keep those children that fit into the parent's lane, the latest first; the others become tops."""
        fitting, end_ns = _NONE, self.starts_ns[parent]
        for child in self._by_time(self._listed(self._first_child[parent])):
            if self._places[child] == self._places[parent] and self._fits(
                child, end_ns, self.ends_ns[parent]
            ):
                self._next_sibling[child] = fitting
                fitting, end_ns = child, self.ends_ns[child]
            else:
                self._tops.append(child)
        self._first_child[parent] = fitting

    def _fits(self, span: int, from_ns: int, until_ns: int) -> bool:
        return from_ns <= self.starts_ns[span] and self.ends_ns[span] <= until_ns

    def _beside_each_other(self, tops: list[int]) -> Iterator[tuple[int, int]]:
        """Each top with the first lane that is free when it begins."""
        free: list[int] = []
        taken: list[tuple[int, int]] = []  # until when, and which
        for top in self._by_time(tops):
            while taken and taken[0][0] <= self.starts_ns[top]:
                heappush(free, heappop(taken)[1])
            lane = heappop(free) if free else len(taken)
            heappush(taken, (self.ends_ns[top], lane))
            yield lane, top

    def _by_time(self, spans: Iterable[int]) -> list[int]:
        """By beginning, then end; of several of no length at one instant the first to arrive comes first."""
        ordered = sorted(spans)
        ordered.sort(key=self.ends_ns.__getitem__)
        ordered.sort(key=self.starts_ns.__getitem__)
        return ordered

    def _listed(self, first: int) -> Iterator[int]:
        while first != _NONE:
            yield first
            first = self._next_sibling[first]
