"""A function in a scope of its own."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from torch.compiler import is_dynamo_compiling

from cirron._recorder import Recorded
from cirron.hooks.names import CANONICAL
from cirron.hooks.torch.uncompiled import passed_over
from cirron.hooks.torch.witness import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.target import Target
    from cirron.hooks.torch.here import Here
    from cirron.hooks.torch.witness import Witness


class Training:
    """Puts the functions that only training calls into scopes.

    Args:
        target: where they record.
        here: is told of their calls while a loop wants to know what it is.
        witness: tells it.
    """

    def __init__(self, target: Target, here: Here, witness: Witness) -> None:
        self._find_recorder = target.find_recorder
        self._here = here
        self._witness = witness

    def in_scope(self, name: str, function: Callable[..., Any]) -> Recorded:
        """`function` in a scope, but where it runs within such a scope, be it ours or the user's."""
        in_scope = Recorded(function, self._find_recorder, name, (name,), CANONICAL)
        self._witness.add(in_scope, self._tell)
        return in_scope

    def _tell(self, _: object) -> None:
        self._here.work(Work.BACKWARD)


def unless_compiling(function: Callable[..., Any], in_scope: Recorded) -> Callable[..., Any]:
    """`in_scope`, but for what is being compiled: that sees `function` alone.

    The compiler knows the answer of `is_dynamo_compiling`, and traces functions that are written in Python.
    """

    @passed_over
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if is_dynamo_compiling() or in_scope is None:
            return function(*args, **kwargs)
        return in_scope(*args, **kwargs)

    return call
