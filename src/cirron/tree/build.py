"""Spans to trees: one root a session, children in the order they began, marks where they belong.

A batch holds the spans that had closed when it was sealed, so a child may arrive long before its parent, and
a parent that is still open or was lost never arrives. Nothing is thrown away for that: what lacks its parent
hangs under the session's root, and a root that did not arrive either is made up and counts as open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from msgspec import Struct

from cirron.spool.records import ATTR_INTERRUPTED, NO_SESSION_ID, SESSION_NAME, Batch, Mark, Span

State = Literal["closed", "open", "interrupted"]


class Node(Struct, eq=False, gc=False):  # gc=False: a tree has no cycles, and the collector would walk it all
    """One span with its marks and children.

    Attributes:
        span: the record as it was written.
        children: child nodes in the order they began.
        marks: the span's marks in time order.
        until_ns: for a span without an end: the time up to which it is known to have been open.
    """

    span: Span
    children: Sequence[Node] = ()  # a shared empty tuple: most of a million spans are leaves
    marks: Sequence[Mark] = ()
    until_ns: int | None = None

    @property
    def state(self) -> State:
        """`closed`, `open` (no end recorded so far) or `interrupted` (open when its process died)."""
        if self.span.end_ns is not None:
            return "closed"
        return "interrupted" if self.span.attrs.get(ATTR_INTERRUPTED) else "open"

    @property
    def wall_ns(self) -> int:
        """How long the span took; for one without an end, how long it took at least."""
        end_ns = self.span.end_ns if self.span.end_ns is not None else self.until_ns
        return max(0, (end_ns or 0) - self.span.start_ns)

    def __repr__(self) -> str:
        return f"<Node {self.span.name} {self.span.id} with {len(self.children)} children>"


@dataclass(frozen=True, slots=True)
class Tree:
    """What `build` returns: the roots in the order they began, and how many spans hang under them."""

    roots: Sequence[Node]
    span_count: int

    def walk(self) -> Iterator[tuple[int, Node]]:
        """Every node with its depth, parents before children."""
        pending = [(0, node) for node in reversed(self.roots)]
        while pending:
            depth, node = pending.pop()
            yield depth, node
            pending.extend((depth + 1, child) for child in reversed(node.children))


def build(batches: Iterable[Batch], now_ns: int | None = None) -> Tree:
    """A tree of everything in the batches, one root a session.

    Args:
        batches: in any order; a span that comes twice counts once, its closed record before an open one.
        now_ns: how far spans without an end are known to be open; by default the session's last record.

    Example:
        tree = build(read("runs/42").batches())
    """
    sessions: dict[str | None, _Session] = {}
    for batch in batches:
        sessions.setdefault(batch.session_id, _Session(batch.session_id)).add(batch)
    roots = [root for session in sessions.values() for root in session.link(now_ns)]
    roots.sort(key=_start)
    return Tree(roots, sum(len(session.nodes) for session in sessions.values()))


def _start(node: Node) -> int:
    return node.span.start_ns


class _Session:
    """The batches of one session on their way to becoming a tree."""

    def __init__(self, session_id: str | None) -> None:
        self.has_id = session_id is not None
        self.root_id = session_id or NO_SESSION_ID
        self.nodes: dict[str, Node] = {}
        self.marks: list[Mark] = []
        self.recovered = False

    def add(self, batch: Batch) -> None:
        nodes = self.nodes
        for span in batch.spans:
            known = nodes.get(span.id)
            if known is None:
                nodes[span.id] = Node(span)
            elif known.span.end_ns is None:
                known.span = span
        self.marks.extend(batch.marks)
        self.recovered = self.recovered or batch.recovered

    def link(self, now_ns: int | None) -> list[Node]:
        roots, homeless = self._attach_children()
        homeless += _cut_cycles(self.nodes, [*roots, *homeless])
        stray = self._attach_marks()
        if homeless or stray:
            home = self._home(roots, homeless, stray)
            home.children = [*home.children, *homeless]
            home.marks = [*home.marks, *stray]
        self._settle(now_ns)
        return roots

    def _attach_children(self) -> tuple[list[Node], list[Node]]:
        """Hang each node under its parent; returns those that have none and those whose parent is missing."""
        roots, homeless, nodes = [], [], self.nodes
        for node in nodes.values():
            parent_id = node.span.parent_id
            if parent_id is None or node.span.id == self.root_id:
                roots.append(node)
            elif (parent := nodes.get(parent_id)) is None:
                homeless.append(node)
            elif parent.children:
                parent.children.append(node)  # type: ignore[attr-defined]  # a list since the first child
            else:
                parent.children = [node]
        return roots, homeless

    def _attach_marks(self) -> list[Mark]:
        stray, nodes = [], self.nodes
        for mark in self.marks:
            node = nodes.get(mark.span_id)
            if node is None:
                stray.append(mark)
            elif node.marks:
                node.marks.append(mark)  # type: ignore[attr-defined]  # as with children
            else:
                node.marks = [mark]
        return stray

    def _home(self, roots: list[Node], homeless: list[Node], stray: list[Mark]) -> Node:
        """The session's root, made up if its span never came."""
        if (home := self.nodes.get(self.root_id)) is not None:
            return home
        if not self.has_id and (home := next((n for n in roots if n.span.name == SESSION_NAME), None)):
            return home
        starts = [node.span.start_ns for node in homeless] + [mark.ts_ns for mark in stray]
        home = Node(self._missing_root(min(starts)))
        self.nodes[home.span.id] = home
        roots.append(home)
        return home

    def _missing_root(self, start_ns: int) -> Span:
        any_span = next((node.span for node in self.nodes.values()), None)
        return Span(
            id=self.root_id,
            name=SESSION_NAME,
            parent_id=None,
            index=None,
            start_ns=start_ns,
            end_ns=None,
            cpu_ns=None,
            gpu_ns=None,
            memory_peak_bytes=None,
            thread_id=any_span.thread_id if any_span else 0,
            pid=any_span.pid if any_span else 0,
            rank=any_span.rank if any_span else 0,
            attrs={ATTR_INTERRUPTED: True} if self.recovered else {},
            mark_ids=[],
        )

    def _settle(self, now_ns: int | None) -> None:
        """Put children and marks in order, and say how far open spans are known to reach."""
        for node in self.nodes.values():
            if len(node.children) > 1:
                node.children = sorted(node.children, key=_start)
            if len(node.marks) > 1:
                node.marks = sorted({mark.id: mark for mark in node.marks}.values(), key=attrgetter("ts_ns"))
        unfinished = [node for node in self.nodes.values() if node.span.end_ns is None]
        if unfinished:
            until_ns = now_ns if now_ns is not None else self._last_record_ns()
            for node in unfinished:
                node.until_ns = until_ns

    def _last_record_ns(self) -> int:
        spans_ns = max((node.span.end_ns or node.span.start_ns for node in self.nodes.values()), default=0)
        return max(spans_ns, max((mark.ts_ns for mark in self.marks), default=0))


def _cut_cycles(nodes: dict[str, Node], tops: Sequence[Node]) -> list[Node]:
    """Free one node of each ring of parents, so that the ring hangs from it; only a damaged file has any."""
    freed: list[Node] = []
    if sum(1 for top in tops for _ in _below(top)) == len(nodes):
        return freed
    reached = {id(node) for top in tops for node in _below(top)}
    for node in nodes.values():
        if id(node) not in reached:
            cut = _on_cycle(nodes, node)
            parent = nodes[cut.span.parent_id or ""]
            parent.children = [child for child in parent.children if child is not cut]
            reached.update(id(found) for found in _below(cut))
            freed.append(cut)
    return freed


def _below(top: Node) -> Iterator[Node]:
    pending = [top]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.children)


def _on_cycle(nodes: dict[str, Node], node: Node) -> Node:
    """The first node met twice on the way up."""
    seen: set[str] = set()
    while node.span.id not in seen:
        seen.add(node.span.id)
        node = nodes[node.span.parent_id or ""]
    return node
