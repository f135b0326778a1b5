"""A part of the scopes of a run."""

from __future__ import annotations

from cirron.tree.scope import Scope
from cirron.tree.scope_name import is_named


def named(top: Scope, name: str, few: int) -> Scope:
    """The scopes of exactly this name, and what is below them; taken out of where they were.

    Args:
        top: what to look through.
        name: of the scopes, see `is_named`; one that lies below another of the name stays there.
        few: how many single spans may stand one by one.
    """
    picked = Scope("")
    pending = [top]
    while pending:
        for scope in list(pending.pop().scopes()):
            if is_named(scope.name, name):
                picked.adopt(scope, few)
            else:
                pending.append(scope)
    return picked
