"""Mark values that the native core does not know: array libraries' scalars, Decimal, Fraction, Enum.

Nothing is imported for it: a library is looked up in `sys.modules`, for while it is not loaded
there can be no value of its types.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, Protocol

Plain = float | int | bool | str | None

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


class Rejected(Exception):  # noqa: N818 - a verdict, not a failure: it never reaches the user
    """The value is of no kind that a mark can hold."""


class Deferred(Protocol):
    """A value that a device still computes; the drain asks for it later."""

    def ready(self) -> bool:
        """Whether `get` would return at once."""

    def get(self) -> Plain:
        """The value, after waiting for the device if need be."""


def coerce(value: Any) -> Plain | Deferred:
    """The plain value that stands for `value`, or a `Deferred` where finding out would stall the caller.

    Raises:
        Rejected: no single number, string or truth value is meant.
    """
    try:
        convert = _array_types.get(type(value))
        return _converted(value) if convert is None else convert(value)
    except Rejected:
        raise
    except Exception as error:  # a tracer, a symbolic or meta tensor: their libraries each raise their own
        raise Rejected from error


def _converted(value: Any) -> Plain | Deferred:
    convert = _array_conversion(value)
    if convert is not None:
        return convert(value)
    if _is(value, "enum", "Enum"):
        return coerce(value.value)
    if _is(value, "decimal", "Decimal") or _is(value, "fractions", "Fraction"):
        return _float(value)
    return _scalar(value)


def _array_conversion(value: Any) -> Callable[[Any], Plain | Deferred] | None:
    """What converts the values of an array library, remembered by their type: asking each library takes longer."""
    for module, names, convert in _ARRAYS:
        if any(_is(value, module, name) for name in names):
            _array_types[type(value)] = convert
            return convert
    return None


def _is(value: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _scalar(value: Any) -> Plain:
    """`value` as one of the five plain types, within the range a mark has."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value) if INT64_MIN <= value <= INT64_MAX else _float(value)
    if isinstance(value, float):
        return float(value)
    raise Rejected


def _float(value: Any) -> float:
    """`float(value)`, with an infinity for what lies beyond its range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except ValueError:  # decimal's signalling NaN
        return math.nan


def _item(array: Any, size: int) -> Plain:
    """The one element of an array in host memory."""
    if size != 1:
        raise Rejected
    element = array.item()
    if type(element) is type(array):  # numpy.longdouble has no smaller type to offer
        return _float(element)
    return _scalar(element)


def _numpy(value: Any) -> Plain:
    if isinstance(
        value, sys.modules["numpy"].floating
    ):  # most of what is logged; its type takes longer to ask for
        return float(value)
    if value.dtype.kind in "mM":  # a date's item is, in some units, a bare number
        raise Rejected
    return _item(value, value.size)


def _torch(tensor: Any) -> Plain | Deferred:
    if tensor.device.type == "cpu" or tensor.numel() != 1:
        return _item(tensor, tensor.numel())
    backend = getattr(sys.modules["torch"], tensor.device.type, None)
    if hasattr(backend, "current_stream"):
        return StreamedTorchValue(tensor, backend)
    return HeldTorchValue(tensor)


def _jax(array: Any) -> Plain | Deferred:
    return _item(array, array.size) if array.is_ready() else JaxValue(array)


def _tensorflow(tensor: Any) -> Plain | Deferred:
    if "CPU" in tensor.device:
        return _numpy(tensor.numpy())
    return HeldTensorFlowValue(tensor)


class StreamedTorchValue:
    """A torch scalar on its way to host memory; an event in its stream tells when it has arrived."""

    def __init__(self, tensor: Any, backend: Any) -> None:
        if getattr(
            backend, "is_current_stream_capturing", bool
        )():  # the copy would run at each replay, not now
            raise Rejected
        self._host = tensor.detach().to("cpu", non_blocking=True)
        self._arrived = backend.current_stream(tensor.device).record_event()

    def ready(self) -> bool:
        """Whether the copy is complete."""
        return bool(self._arrived.query())

    def get(self) -> Plain:
        """The value, once its stream has come to the copy."""
        self._arrived.synchronize()
        return _item(self._host, 1)


class HeldTorchValue:
    """A torch scalar on a device without streams: a copy stays there until the drain fetches it."""

    def __init__(self, tensor: Any) -> None:
        self._copy = tensor.detach().clone()

    def ready(self) -> bool:
        """Always: there is nothing to ask, and the drain's thread may wait."""
        return True

    def get(self) -> Plain:
        """The value, after the device's queue."""
        return _item(self._copy, 1)


class JaxValue:
    """A JAX scalar that is being computed; it never changes, so a reference is enough."""

    def __init__(self, array: Any) -> None:
        if array.size != 1:
            raise Rejected
        self._array = array

    def ready(self) -> bool:
        """Whether the computation is over."""
        return bool(self._array.is_ready())

    def get(self) -> Plain:
        """The value, once computed."""
        return _item(self._array, 1)


class HeldTensorFlowValue:
    """A TensorFlow scalar on a device; of a variable, what it is at this moment."""

    def __init__(self, tensor: Any) -> None:
        if tensor.shape.num_elements() != 1:
            raise Rejected
        self._tensor = tensor.read_value() if hasattr(tensor, "read_value") else tensor

    def ready(self) -> bool:
        """Always: there is nothing to ask, and the drain's thread may wait."""
        return True

    def get(self) -> Plain:
        """The value, after the device's queue."""
        return _item(self._tensor.numpy(), 1)


_ARRAYS: tuple[tuple[str, tuple[str, ...], Callable[[Any], Plain | Deferred]], ...] = (
    ("numpy", ("generic", "ndarray"), _numpy),
    ("torch", ("Tensor",), _torch),
    ("jax", ("Array",), _jax),
    ("tensorflow", ("Tensor", "Variable"), _tensorflow),
)
_array_types: dict[type, Callable[[Any], Plain | Deferred]] = {}
