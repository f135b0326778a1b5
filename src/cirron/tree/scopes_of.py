"""A tree of spans as scopes, for a picture of it."""

from __future__ import annotations

from cirron.tree.build import Tree
from cirron.tree.scope import FEW, Scope


def scopes_of(tree: Tree) -> Scope:
    """A scope above the tree's roots; below it many spans of one name share one.

    Example:
        print(to_text(scopes_of(build(batches))), end="")
    """
    top = Scope("")
    pending = [(node, top) for node in reversed(tree.roots)]
    while pending:
        node, above = pending.pop()
        scope = above.standing().child(node.span, FEW)
        if node.span.end_ns is None:
            scope.unfinished_ns += node.wall_ns
        for mark in node.marks:
            scope.mark(mark)
        pending.extend((child, scope) for child in reversed(node.children))
    return top
