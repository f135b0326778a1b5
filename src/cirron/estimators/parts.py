"""The estimators that an estimator is made of."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIMPLE = frozenset((type(None), bool, int, float, str))
_OF_AN_ESTIMATOR = ("fit", "get_params", "set_params")


def is_estimator(value: object) -> bool:
    """As scikit-learn defines the word; the classes of estimators are none."""
    kind = type(value)
    return all(callable(getattr(kind, name, None)) for name in _OF_AN_ESTIMATOR)


def parts_of(estimator: Any) -> Iterator[tuple[str | None, Any]]:
    """With the names that parts have in lists of names and estimators, such as the steps of a pipeline.

    Raises:
        ValueError, TypeError: the class does not tell its parameters.
    """
    kind: Any = type(estimator)
    values = getattr(estimator, "__dict__", {})
    for name in _attributes(kind):
        value = values.get(name)
        if type(value) in _SIMPLE:  # most parameters are
            continue
        if isinstance(value, (list, tuple)):
            yield from _named(value)
        elif is_estimator(value):
            yield None, value


def _named(values: Any) -> Iterator[tuple[str, Any]]:
    for each in tuple(values):
        if not (isinstance(each, tuple) and len(each) > 1 and isinstance(each[0], str)):
            return
        if is_estimator(each[1]):
            yield str(each[0]), each[1]


@lru_cache(maxsize=256)
def _attributes(kind: Any) -> tuple[str, ...]:
    """Where parts may be: in parameters, and in what `fit` has made of them."""
    parameters = inspect.signature(kind).parameters
    return tuple(name for each in parameters for name in (each, f"{each}_", f"best_{each}_"))
