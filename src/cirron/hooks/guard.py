"""The one place that keeps a framework's own work apart from what goes wrong in hooks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol

from cirron import signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.faults import Faults


class Ending(Protocol):
    """What a call has begun, and its end ends: an `OwnedLoop`, for one."""

    def end(self) -> None:
        """The call has returned."""

    def fail(self, error: BaseException | None) -> None:
        """The call has raised."""


class Guard:
    """Does what hooks add to a framework; the framework goes on whatever comes of it.

    Args:
        framework: whose hooks these are.
        faults: takes what goes wrong.

    Example:
        guard = Guard("transformers", faults)
        guard(loop.next_step, 3)
    """

    def __init__(self, framework: str, faults: Faults) -> None:
        self._framework = framework
        self._faults = faults

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What the function returns; None if it raises anything but what is a signal handler's."""
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the user's training goes on
            self._note(error)
            return None

    def around(self, begin: Callable[..., Ending | None], original: Callable[..., Any]) -> Callable[..., Any]:
        """`original` with what `begin`, called with the same arguments, opens around it."""

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            ending = self(begin, *args, **kwargs)
            if ending is None:
                return original(*args, **kwargs)
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                self(ending.fail, error)
                raise
            self(ending.end)
            return result

        return call

    def before(self, function: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
        """`original`, and before it a call of `function` with the same arguments."""

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - as above, but for a call
                self._note(error)
            return original(*args, **kwargs)

        return call

    def after(self, function: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
        """`original`, and a call of `function` with the same arguments once that has returned."""

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            self(function, *args, **kwargs)
            return result

        return call

    def _note(self, error: Exception) -> None:
        if signals.has_raised(error):
            raise error
        name = self._framework
        self._faults.note(
            f"hooks.{name}", error, f"{name} goes on, but a part of what it does is not recorded"
        )
