"""`data_load`: the wait of a framework's own loop for a batch, whatever the loader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cirron.hooks.names import CANONICAL, DATA_LOAD, NO_LOAD_IN

if TYPE_CHECKING:
    from cirron._recorder.idle import AnyScope
    from cirron.hooks.target import Target


class DataLoad:
    """A fetch that is under way.

    Example:
        next_batch = guard.around(lambda fetcher: DataLoad.begun(target), fetcher.__next__)
    """

    def __init__(self, scope: AnyScope) -> None:
        self._scope = scope

    @classmethod
    def begun(cls, target: Target, *, is_first: bool = False) -> DataLoad | None:
        """None within another."""
        scope = first_load(target) if is_first else target.scope_unless(DATA_LOAD, NO_LOAD_IN, CANONICAL)
        if scope is None:
            return None
        scope.__enter__()
        return cls(scope)

    def end(self) -> None:
        """A batch has come."""
        self._scope.__exit__(None, None, None)

    def fail(self, error: BaseException | None) -> None:
        """None will come: there was no such fetch, but for what the user recorded in it."""
        if not isinstance(error, StopIteration):
            self._scope.__exit__(type(error) if error is not None else None, error, None)
        elif not self._scope._cancel():
            self.end()


def first_load(target: Target) -> AnyScope | None:
    """The scope of the first fetch of a loop, in which workers start; None within another."""
    if target.scope_unless(DATA_LOAD, NO_LOAD_IN, CANONICAL) is None:
        return None
    return target.scope(DATA_LOAD, first=True)
