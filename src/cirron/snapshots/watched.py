"""The models that are looked at."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from cirron.snapshots.parameters import is_of_keras, is_optimizer


class _Named(weakref.ref[Any]):
    """A model, with the thread in which it was named last."""

    __slots__ = ("thread",)

    thread: weakref.ref[threading.Thread]


class Watched:
    """Models, and optimizers for what no model has; each goes with its last user.

    Example:
        >>> watched = Watched()
        >>> watched.add(model)
        >>> watched.models()
        [Linear(in_features=2, out_features=2, bias=True)]
    """

    def __init__(self) -> None:
        # Changed by single operations of the list alone, for models may go at any moment and in any thread.
        self._references: list[_Named] = []

    def add(self, model: object) -> None:
        """Look at this model from now on; one that is watched already stays where it is.

        Raises:
            TypeError: it has no parameters to look at, or no weak reference can be made to it.
        """
        if isinstance(model, type) or not _has_parameters(model):
            kind = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
            raise TypeError(f"{kind} has no parameters to look at: pass a torch.nn.Module or a Keras model")
        known = next((each for each in list(self._references) if each() is model), None)
        reference = known if known is not None else _Named(model, self._references.remove)
        reference.thread = weakref.ref(threading.current_thread())
        if known is None:
            self._references.append(reference)

    def models(self) -> list[Any]:
        """Those that are still there, in the order they were named."""
        return [model for model, _ in self.with_threads()]

    def with_threads(self) -> list[tuple[Any, threading.Thread | None]]:
        """As `models`, each with the thread that named it last; None for one that is over."""
        return [
            (model, _living(reference.thread()))
            for reference in list(self._references)
            if (model := reference()) is not None
        ]


def _living(thread: threading.Thread | None) -> threading.Thread | None:
    return thread if thread is not None and thread.is_alive() else None


def _has_parameters(model: object) -> bool:
    return callable(getattr(model, "named_parameters", None)) or is_optimizer(model) or is_of_keras(model)
