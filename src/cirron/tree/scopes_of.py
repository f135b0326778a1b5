"""A tree of spans as scopes, for a picture of it."""

from __future__ import annotations

from cirron.tree.build import Node, Tree
from cirron.tree.scope import FEW, Scope


def scopes_of(tree: Tree) -> Scope:
    """A scope above the tree's roots; below it many spans of one name share one.

    Example:
        print(to_text(scopes_of(build(batches))), end="")
    """
    top = Scope("")
    pending: list[tuple[Node, Scope, Node | None]] = [(node, top, None) for node in reversed(tree.roots)]
    while pending:
        node, above, around = pending.pop()
        scope = above.standing().child(node.span, FEW)
        if node.span.end_ns is None:
            scope.unfinished_ns += node.wall_ns
        scope.outside_ns += _outside_ns(node, around)
        for mark in node.marks:
            scope.mark(mark)
        pending.extend((child, scope, node) for child in reversed(node.children))
    return top


def _outside_ns(node: Node, around: Node | None) -> int:
    """How long the span went on after the one it was begun in had ended."""
    if around is None or node.span.end_ns is None or around.span.end_ns is None:
        return 0
    return max(0, node.span.end_ns - max(around.span.end_ns, node.span.start_ns))
