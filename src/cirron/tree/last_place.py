"""Where a run was when it came to an early end."""

from __future__ import annotations

from collections.abc import Callable

from cirron.spool.records import ATTR_ENDED
from cirron.tree import units
from cirron.tree.path_text import SEPARATOR
from cirron.tree.run_outline import WORKERS
from cirron.tree.scope import Scope

_EXCEPTION = "exception: "
_RAISED = {"signal: SIGINT": "KeyboardInterrupt"}


def last_place(top: Scope) -> str | None:
    """A sentence about the scope that a killed or failed run was in; None where it ended well, or outside of scopes.

    Example:
        >>> last_place(top)
        'The run ended in epoch[1] / batch / forward (killed)'
    """
    for root in top.in_order():
        if root.name == WORKERS:
            continue
        ending = str(root.attrs.get(ATTR_ENDED, "killed" if root.interrupted_count else "completed"))
        if path := _path(root, _was_in(ending)):
            return f"{_who(root)} ended in {SEPARATOR.join(path)} ({units.clean(ending)})"
    return None


def _who(root: Scope) -> str:
    return "The run" if root.count == 1 else f"{root.interrupted_count or root.count} of {root.count} ranks"


def _was_in(ending: str) -> Callable[[Scope], int]:
    """Tells of a scope when the run was last in it with this ending; 0 for never."""
    if ending.startswith(_EXCEPTION) or ending in _RAISED:
        error = _RAISED.get(ending, ending.removeprefix(_EXCEPTION))
        return lambda scope: scope.end_ns if scope.errors[error] else 0
    return lambda scope: max(scope.unfinished.values(), default=0) if scope.interrupted_count else 0


def _path(root: Scope, was_in: Callable[[Scope], int]) -> list[str]:
    """The scopes from below the root to the innermost."""
    path: list[str] = []
    scope: Scope | None = root
    while scope := max(scope.scopes(), key=was_in, default=None) if scope else None:
        if not was_in(scope):
            break
        path.append(_label(scope))
    return path


def _label(scope: Scope) -> str:
    name = units.clean(scope.name)
    return name if scope.index is None else f"{name}[{scope.index}]"
