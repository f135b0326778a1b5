"""A tree as plain dictionaries, and the same as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from cirron.spool.records import Mark
from cirron.tree.build import Node, Tree


def to_dict(tree: Tree) -> dict[str, Any]:
    """`{"roots": [...], "span_count": n}`; every node has the same keys, whatever is unknown is None.

    `wall_us` of a span still open is the time so far; of an interrupted one it is None: nobody saw its end.

    Example:
        to_dict(build(batches))["roots"][0]["children"][0]["wall_us"]
    """
    roots: list[dict[str, Any]] = []
    pending = [(node, roots) for node in reversed(tree.roots)]
    while pending:
        node, siblings = pending.pop()
        fields = node_fields(node)
        children: list[dict[str, Any]] = []
        fields["children"] = children
        siblings.append(fields)
        pending.extend((child, children) for child in reversed(node.children))
    return {"roots": roots, "span_count": tree.span_count}


def to_json(tree: Tree) -> str:
    """What `to_dict` returns, as one line of JSON."""
    encode = msgspec.json.Encoder().encode
    parts: list[bytes] = [b'{"roots":[']
    # Written level by level without recursion: a damaged spool may nest deeper than any encoder's stack.
    pending: list[Node | bytes] = [b'],"span_count":%d}' % tree.span_count, *_listed(tree.roots)]
    while pending:
        piece = pending.pop()
        if isinstance(piece, bytes):
            parts.append(piece)
        else:
            parts.append(encode(node_fields(piece))[:-1] + b',"children":[')
            pending.append(b"]}")
            pending.extend(_listed(piece.children))
    return b"".join(parts).decode()


def _listed(nodes: Any) -> list[Node | bytes]:
    """Nodes with commas between them, last first, as a stack wants them."""
    pieces: list[Node | bytes] = []
    for node in nodes:
        pieces += [node, b","]
    return pieces[-2::-1]


def node_fields(node: Node) -> dict[str, Any]:
    """One node without its children."""
    span = node.span
    return {
        "id": span.id,
        "parent_id": span.parent_id,
        "name": span.name,
        "index": span.index,
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "wall_us": wall_us(node),
        "cpu_ns": span.cpu_ns,
        "gpu_ns": span.gpu_ns,
        "memory_peak_bytes": span.memory_peak_bytes,
        "attrs": span.attrs,
        "marks": [_mark_fields(mark) for mark in node.marks],
    }


def wall_us(node: Node) -> int | None:
    """Whole microseconds in the span; None where nobody saw its end."""
    return None if node.state == "interrupted" else node.wall_ns // 1000


def _mark_fields(mark: Mark) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": mark.name,
        "value": mark.value,
        "value_type": mark.value_type,
        "kind": mark.kind,
        "ts_ns": mark.ts_ns,
        "attrs": mark.attrs,
    }
    if mark.value_nonfinite is not None:
        fields["value_nonfinite"] = mark.value_nonfinite
    return fields
