"""Variables of Keras on TensorFlow, which numpy reads where they lie."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from cirron._recorder import array_stats
from cirron.snapshots.keep import SAMPLED

if TYPE_CHECKING:
    import numpy
    from torch import Tensor
    from typing_extensions import TypeIs

    from cirron._recorder.native import Statistics
    from cirron.snapshots.keep import Keep


class Variable:
    """Stands for `keras.Variable`, of which checkers are told this much; its gradient is nowhere to be seen."""

    trainable: bool
    shape: tuple[int, ...]
    dtype: str
    value: Any


def is_variable(thing: Tensor | Variable) -> TypeIs[Variable]:
    """Whether it is a variable of Keras."""
    kind = getattr(sys.modules.get("keras"), "Variable", None)
    return kind is not None and isinstance(thing, kind)


def read(variable: Variable) -> numpy.ndarray:
    """The value as it is now; it stays so when the variable goes on."""
    return _in_host_memory(variable.value.read_value())


def _in_host_memory(value: Any) -> numpy.ndarray:
    import numpy

    try:
        return numpy.asarray(memoryview(value))
    except ValueError:  # the buffers of Python have no bfloat16
        return numpy.asarray(value.numpy())


def array_statistics(array: numpy.ndarray) -> Statistics:
    """What the elements come to; other threads of Python run meanwhile."""
    address = array.__array_interface__["data"][0]
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return array_stats(address, array.dtype.name, array.shape, strides)


def copy_of_array(array: numpy.ndarray, keep: Keep) -> numpy.ndarray:
    """All elements, or a sample of them: those that `sample` takes of a tensor."""
    if keep.mode != SAMPLED:
        return array.copy()
    chosen: numpy.ndarray = array.ravel()[_places(array.size, keep.sample_elements(array.size))]
    return chosen


def float_sample(variable: Variable, count: int) -> numpy.ndarray | None:
    """At most `count` elements, as above, flat and in float64; None where there are no floats to read."""
    size = math.prod(variable.shape)
    if size == 0 or "float" not in variable.dtype:
        return None
    value, places = variable.value.read_value(), _places(size, min(size, count))
    is_here = "CPU" in value.device
    chosen = _in_host_memory(value).ravel()[places] if is_here else gathered(value, places)
    wide: numpy.ndarray = chosen.astype("float64")
    return wide


def gathered(value: Any, places: numpy.ndarray) -> numpy.ndarray:
    """The elements of a tensor at these places, which alone leave its device."""
    tensorflow: Any = sys.modules["tensorflow"]
    chosen: numpy.ndarray = tensorflow.gather(tensorflow.reshape(value, [-1]), places).numpy()
    return chosen


def _places(size: int, count: int) -> numpy.ndarray:
    import numpy

    places: numpy.ndarray = numpy.arange(count) * size // max(count, 1)
    return places
