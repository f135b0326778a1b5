"""Functions of ours that `torch.compile` leaves alone, where they run between its functions and the user's.

It looks at the frame of each call that is made while a compiled function runs. One of ours would be compiled for
itself, and with it what torch, left to itself, does not compile: a container of its own, or the step of an optimizer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from torch._C._dynamo.eval_frame import set_eval_frame

if TYPE_CHECKING:
    from types import CodeType

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _PassedOver:
    """Functions that run as they are; those that they call are compiled as they would be without them."""

    def __init__(self) -> None:
        self._codes: set[CodeType] = set()
        self._skip_code: Callable[[CodeType], None] | None = None

    def __call__(self, function: _Function) -> _Function:
        """`function` itself, one written in Python, as one of them."""
        code: CodeType = function.__code__
        if code not in self._codes:
            self._codes.add(code)
            if self._skip_code is not None:
                self._skip_code(code)
        return function

    def by(self, skip_code: Callable[[CodeType], None]) -> None:
        """There is a compiler, and a way to tell it."""
        self._skip_code = skip_code
        for code in list(self._codes):
            skip_code(code)


passed_over = _PassedOver()


def unseen(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which runs as it is, and so does all that it calls."""

    @passed_over
    @functools.wraps(function)
    def call(*args: Any) -> Any:
        before = set_eval_frame(None)
        try:
            return function(*args)
        finally:
            set_eval_frame(before)

    return call
