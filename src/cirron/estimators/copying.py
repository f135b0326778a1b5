"""How an estimator that records is cloned, copied and pickled.

Clones and copies record too. A pickle holds a plain estimator, so that a model which was recorded while it was trained
can be loaded where cirron is not installed. What joblib and multiprocessing send to a worker process is an exception:
that goes nowhere else, and the estimator is to record there.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SET_CLASS = vars(object)["__class__"].__set__

# Each has a function that tells, for a class, how its objects are pickled on the way to another process.
_REGISTRIES: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("multiprocessing.reduction", lambda module: module.ForkingPickler.register),
    ("joblib.externals.loky.backend.reduction", lambda module: module.register),
)


def add_copying(ours: Any, kind: Any) -> None:
    """Have objects of our class be copied and pickled as those of `kind`, in whose place it stands."""

    @contextmanager
    def plain(estimator: Any) -> Iterator[type]:
        """For as long as this lasts the estimator does not record; what it is made of may."""
        before = type(estimator)
        set_class(estimator, kind)
        try:
            yield before
        finally:
            set_class(estimator, ours if before is kind else before)  # which another thread has made plain

    def reduce_ex(self: Any, protocol: Any) -> Any:
        if type(self) is not ours:  # but of a subclass of it that somebody has made
            return kind.__reduce_ex__(self, protocol)
        with plain(self):
            return self.__reduce_ex__(protocol)

    def twin(make: Callable[..., Any], *arguments: Any) -> Any:
        with plain(arguments[0]) as before:
            made = make(*arguments)
        return set_class(made, before) if type(made) is kind else made

    def clone(self: Any) -> Any:
        from sklearn import base

        return twin(base.clone, self)

    ours.__reduce_ex__ = reduce_ex
    ours.__copy__ = lambda self: twin(copy.copy, self)
    ours.__deepcopy__ = lambda self, memo: twin(copy.deepcopy, self, memo)
    ours.__sklearn_clone__ = clone


def set_class(estimator: Any, kind: type) -> Any:
    """The estimator, of another class. Our classes say they were what they stand for, so `__class__` is no use."""
    _SET_CLASS(estimator, kind)
    return estimator


def record_in_workers(ours: type, again: Callable[..., Any], part: str | None) -> None:
    """Have estimators of our class arrive in worker processes as what they are.

    Args:
        ours: the class.
        again: called there with `part`, and with a function and its arguments that give a plain estimator.
        part: the estimator's name in the one that it is a part of.
    """

    def reduce(estimator: Any) -> Any:
        reduced = estimator.__reduce_ex__(4)
        if isinstance(reduced, str):
            return reduced
        function, arguments, *rest = reduced
        return again, (part, function, arguments), *rest

    for name, register in _REGISTRIES:
        module = sys.modules.get(name)
        if module is not None:
            register(module)(ours, reduce)
