"""What `inference` makes of a function, a method or a class."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from cirron import _recorder
from cirron._recorder import shells
from cirron.faults import Faults
from cirron.serving.interest import interest
from cirron.serving.options import Options, options_from
from cirron.serving.tally import Tally
from cirron.serving.trace_context import trace_context

FindRecorder = Callable[[], _recorder.Recorder | None]

# As `Part` and `FunctionKind` of inference.hpp have them.
_PARTS = (shells.coroutine, shells.generator, shells.async_generator, Tally, interest, trace_context)
_CALL, _COROUTINE, _GENERATOR, _ASYNC_GENERATOR = range(4)


def decorator(
    config: Mapping[str, Any] | None,
    sample_rate: float | None,
    slow_s: float | None,
    find: FindRecorder | None = None,
) -> Callable[[Any], Any]:
    """What decorates a function with these options; see `cirron.inference`.

    Args:
        config: options by name.
        sample_rate: an option.
        slow_s: another.
        find: tells where a call is recorded; None for the default instance.
    """
    options, doubts = options_from(config, {"sample_rate": sample_rate, "slow_s": slow_s})
    for doubt in doubts:
        Faults().warn(f"inference(): {doubt}; it is ignored")
    return lambda function: _decorated(function, options, find)


def _decorated(function: Any, options: Options, find: FindRecorder | None) -> Any:
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(_decorated(function.__func__, options, find))
    if inspect.isclass(function):
        return _decorated_class(function, options, find)
    if not callable(function):
        raise TypeError(
            f"inference() decorates functions, not an object of type {type(function).__name__}: "
            "put the decorator directly above `def`"
        )
    made = _recorder.Inference(
        function,
        _kind(function),
        _name(function),
        _PARTS,
        find,
        _place_of_request_id(function),
        options.sample_rate,
        -1.0 if options.slow_s is None else options.slow_s * 1e9,
    )
    return made if made is function else functools.update_wrapper(made, function)


def _decorated_class(kind: type, options: Options, find: FindRecorder | None) -> type:
    """The class itself: calls of its objects are requests."""
    found = next((vars(base)["__call__"] for base in kind.__mro__ if "__call__" in vars(base)), None)
    if found is None:
        raise TypeError(
            f"inference() decorates classes whose objects can be called, and {kind.__qualname__} has no __call__: "
            "put the decorator on a method"
        )
    setattr(kind, "__call__", _decorated(found, options, find))  # noqa: B010 - of a class whose type is not known
    return kind


def _kind(function: Any) -> int:
    if _is(inspect.iscoroutinefunction, function):
        return _COROUTINE
    if _is(inspect.isasyncgenfunction, function):
        return _ASYNC_GENERATOR
    return _GENERATOR if _is(inspect.isgeneratorfunction, function) else _CALL


def _is(kind: Callable[[Any], bool], function: Any) -> bool:
    return kind(function) or kind(getattr(function, "__call__", None))  # noqa: B004 - an object's `async def __call__`


def _name(function: Any) -> str:
    plain = function.func if isinstance(function, functools.partial) else function
    return str(getattr(plain, "__qualname__", None) or type(plain).__qualname__)


def _place_of_request_id(function: Any) -> int:
    """Which positional argument is the `request_id`; -1 where none is."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of a function that is not written in Python
        return -1
    positional = [each.name for each in parameters if each.kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD]
    return positional.index("request_id") if "request_id" in positional else -1
