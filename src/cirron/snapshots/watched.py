"""The models that are looked at."""

from __future__ import annotations

import weakref
from typing import Any

from cirron.snapshots.parameters import is_of_keras, is_optimizer


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
        self._references: list[weakref.ref[Any]] = []

    def add(self, model: object) -> None:
        """Look at this model from now on; one that is watched already stays where it is.

        Raises:
            TypeError: it has no parameters to look at, or no weak reference can be made to it.
        """
        if isinstance(model, type) or not _has_parameters(model):
            kind = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
            raise TypeError(f"{kind} has no parameters to look at: pass a torch.nn.Module or a Keras model")
        if not any(each is model for each in self.models()):
            self._references.append(weakref.ref(model, self._references.remove))

    def models(self) -> list[Any]:
        """Those that are still there, in the order they were named."""
        return [model for reference in list(self._references) if (model := reference()) is not None]


def _has_parameters(model: object) -> bool:
    return callable(getattr(model, "named_parameters", None)) or is_optimizer(model) or is_of_keras(model)
