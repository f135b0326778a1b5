"""What a loop gets in place of an iterator that its loader keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks.torch.traversal import Traversal


class HeldIterator:
    """The iterator of persistent workers, as far as a loop can tell, but that it dies with the loop.

    A loader keeps such an iterator for the next loop: by itself it would not tell of a `break`.

    Args:
        iterator: the loader's own.
        traversal: ends when this dies.
        next_batch: what gets a batch from such an iterator.
    """

    __slots__ = ("__weakref__", "_iterator", "_next_batch", "_traversal")

    def __init__(self, iterator: Any, traversal: Traversal, next_batch: Callable[[Any], Any]) -> None:
        for name, value in (("_iterator", iterator), ("_traversal", traversal), ("_next_batch", next_batch)):
            object.__setattr__(self, name, value)

    def __iter__(self) -> HeldIterator:
        return self

    def __next__(self) -> Any:
        return self._traversal.fetch(self._next_batch, self._iterator)

    def __len__(self) -> int:
        return len(self._iterator)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._iterator, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._iterator, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._iterator, name)

    @property  # type: ignore[misc]  # so that isinstance() says what it says without us
    def __class__(self) -> type[Any]:
        return type(self._iterator)
