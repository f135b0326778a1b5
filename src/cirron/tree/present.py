"""A trace in the form that was asked for: the one entry behind `cirron.trace`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cirron.spool.records import Batch
from cirron.tree.build import Tree, build
from cirron.tree.dicts import to_dict, to_json
from cirron.tree.filters import check_filters, keep
from cirron.tree.frame import to_frame
from cirron.tree.scopes_of import scopes_of
from cirron.tree.show import show


def _show(tree: Tree) -> None:
    show(scopes_of(tree))


_FORMATS: dict[str, Callable[[Tree], Any]] = {"tree": _show, "dict": to_dict, "json": to_json, "df": to_frame}


def present(
    batches: Iterable[Batch],
    format: str = "tree",
    name: str | None = None,
    last: int | None = None,
    now_ns: int | None = None,
) -> Any:
    """Show the trace (`"tree"`), or return it as a `"dict"`, as `"json"` text or as a data frame (`"df"`).

    Args:
        batches: what was recorded, in any order; scopes still open come as spans without an end.
        format: one of the four.
        name: keep spans of exactly this name and everything below them.
        last: keep this many spans, those that closed most recently.
        now_ns: the time up to which open spans are known to be open.

    Raises:
        ValueError, TypeError: an argument has no meaning; nothing has been read by then.
        CirronDependencyError: `"df"` without pandas.

    Example:
        present(read("runs/42").batches(), "df", name="epoch")
    """
    check_request(format, name, last)
    return _FORMATS[format](keep(build(batches, now_ns), name, last))


def check_request(format: object, name: object, last: object) -> None:
    """Refuse arguments of `present` that have no meaning, before any work is done."""
    if format not in tuple(_FORMATS):  # a list, say, cannot be looked up in a dictionary
        accepted = ", ".join(map(repr, _FORMATS))
        raise ValueError(f"format={format!r} is not a way to show a trace: pass one of {accepted}")
    check_filters(name, last)
