"""A function in a scope of its own."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from torch.compiler import is_dynamo_compiling

from cirron.hooks.names import CANONICAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.target import Target


def recorded(target: Target, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` in a scope, but where it runs within such a scope, be it ours or the user's.

    What is being compiled sees nothing of it: the compiler knows the answer of `is_dynamo_compiling`.
    """
    scope_unless, itself = target.scope_unless, (name,)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if is_dynamo_compiling() or (scope := scope_unless(name, itself, CANONICAL)) is None:
            return function(*args, **kwargs)
        with scope:
            return function(*args, **kwargs)

    return call
