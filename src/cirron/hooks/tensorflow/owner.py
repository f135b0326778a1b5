"""Which class of Keras has what is to be hooked; it depends on the backend."""

from __future__ import annotations


def owner_of(name: str, kind: type) -> type:
    """The class from which `kind` has a method.

    Raises:
        AttributeError: it has none of this name, as may be in a version that nobody here has seen.
    """
    for each in kind.__mro__:
        if name in vars(each):
            return each
    raise AttributeError(f"keras.{kind.__name__} has no {name!r}")
