"""A method of an estimator in a scope of its own."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks import Target


class _Here(threading.local):
    """The estimators whose methods are under way in the calling thread, by id."""

    def __init__(self) -> None:
        self.under_way: set[int] = set()


_here = _Here()


def recorded_call(
    method: Callable[..., Any],
    target: Target,
    title: str,
    attrs: dict[str, str],
    before: Callable[[Any], None],
) -> Callable[..., Any]:
    """`method` in a scope, but where a method of the same estimator has called it.

    Args:
        method: a function of an estimator.
        target: where it records.
        title: the name of the scope.
        attrs: its attributes.
        before: called with the estimator once the scope is open.
    """
    scope, scope_unless = target.scope, target.scope_unless

    @functools.wraps(method)
    def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        under_way, number = _here.under_way, id(self)
        if number in under_way or scope_unless(title, (), ()) is None:  # or nothing is recorded
            return method(self, *args, **kwargs)
        under_way.add(number)
        try:
            with scope(title, **attrs):
                before(self)
                return method(self, *args, **kwargs)
        finally:
            under_way.discard(number)

    return call
