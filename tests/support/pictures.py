"""A trace as text that is the same on every run."""

from typing import Any


def picture(trace: dict[str, Any]) -> str:
    """One line a span, indented by depth: name, index, attributes, then its marks; times and ids are left out.

    What cirron adds by itself (names that begin with `cirron.`) is left out below the root, and so are pauses for
    garbage.
    """
    return "\n".join(line for root in trace["roots"] for line in _lines(root, 0))


def _lines(node: dict[str, Any], depth: int) -> list[str]:
    index = "" if node["index"] is None else f"[{node['index']}]"
    attrs = [f"{key}={value!r}" for key, value in node["attrs"].items() if not key.startswith("cirron.")]
    marks = [
        _mark(mark)
        for mark in node["marks"]
        if not mark["name"].startswith("cirron.") and mark["name"] != "gc_pause_ms"
    ]
    line = "  " * depth + " ".join([node["name"] + index, *attrs])
    return [
        " | ".join([line, *marks]),
        *(text for child in node["children"] for text in _lines(child, depth + 1)),
    ]


def _mark(mark: dict[str, Any]) -> str:
    attrs = "".join(f" {key}={value!r}" for key, value in mark["attrs"].items())
    return f"{mark['name']}={mark['value']!r}{attrs}"
