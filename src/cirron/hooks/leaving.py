"""How hooks leave the scopes that they have entered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cirron._recorder.idle import AnyScope


def leave(scope: AnyScope | None, error: BaseException | None) -> None:
    """Leave a scope, if there is one, as a `with` would that this error ends; None for no error, or an unknown one."""
    if scope is not None:
        scope.__exit__(type(error) if error is not None else None, error, None)


def leave_unused(scope: AnyScope | None, name: str | None = None) -> None:
    """Leave a scope, if there is one, as if it had never been; where something was recorded in it, by this name."""
    if scope is None or scope._cancel():
        return
    if name is not None:
        scope._rename(name)
    scope.__exit__(None, None, None)
