"""Less of a tree: by name, or only what closed last."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest

from cirron.tree.build import Node, Tree
from cirron.tree.scope_name import is_named, scope_name


def keep(tree: Tree, name: str | None = None, last: int | None = None, min_wall_ns: int = 0) -> Tree:
    """The part of a tree that was asked for; with both filters, the last of those that the name keeps.

    Args:
        tree: what to take from; it stays as it is.
        name: keep spans of exactly this name and everything below them; `request embed` means the requests of that
            function.
        last: keep this many spans, those that closed most recently. One whose parent is not among them
            becomes a root.
        min_wall_ns: leave out spans that took less, and everything below them; one that has not ended stays.

    Raises:
        TypeError, ValueError: `name` is not a string, or `last` is not a whole number above zero.

    Example:
        keep(tree, name="epoch", last=20)
    """
    check_filters(name, last)
    if min_wall_ns:
        tree = _long_enough(tree, min_wall_ns)
    if name is not None:
        tree = _named(tree, name)
    if last is not None:
        tree = _last_closed(tree, last)
    return tree


def check_filters(name: object, last: object) -> None:
    """Refuse filter arguments that cannot mean anything, before any work is done."""
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name={name!r} is not a span's name: pass a string such as 'epoch', or None for all")
    if last is not None and (isinstance(last, bool) or not isinstance(last, int)):
        raise TypeError(f"last={last!r} is not a count: pass a whole number of spans, or None for all")
    if last is not None and last < 1:
        raise ValueError(f"last={last!r} would keep nothing: pass 1 or more, or None for all")


def _named(tree: Tree, name: str) -> Tree:
    roots: list[Node] = []
    pending = list(reversed(tree.roots))
    while pending:
        node = pending.pop()
        if is_named(scope_name(node.span), name):
            roots.append(node)
        else:
            pending.extend(reversed(node.children))
    return _tree(roots)


def _long_enough(tree: Tree, min_wall_ns: int) -> Tree:
    copies: list[Node] = []
    pending = [(node, copies) for node in reversed(tree.roots)]
    while pending:
        node, siblings = pending.pop()
        if node.span.end_ns is None or node.wall_ns >= min_wall_ns:
            children: list[Node] = []
            siblings.append(Node(node.span, children, node.marks, node.until_ns))
            pending.extend((child, children) for child in reversed(node.children))
    return _tree(copies)


def _last_closed(tree: Tree, last: int) -> Tree:
    parents = {id(child): node for _, node in tree.walk() for child in node.children}
    closed = (node for _, node in tree.walk() if node.span.end_ns is not None)
    newest = sorted(nlargest(last, closed, key=lambda node: node.span.end_ns or 0), key=_start)
    copies = {id(node): _without_children(node) for node in newest}
    below: dict[int, list[Node]] = {key: [] for key in copies}
    roots: list[Node] = []
    for node in newest:
        parent = parents.get(id(node))
        below.get(id(parent), roots).append(copies[id(node)])
    for key, children in below.items():
        copies[key].children = children
    return _tree(roots)


def _without_children(node: Node) -> Node:
    copy = Node(node.span)
    copy.marks = node.marks
    return copy


def _start(node: Node) -> int:
    return node.span.start_ns


def _tree(roots: Iterable[Node]) -> Tree:
    tree = Tree(list(roots), 0)
    return Tree(tree.roots, sum(1 for _ in tree.walk()))
