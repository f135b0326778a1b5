"""Variables of Keras on TensorFlow, which numpy reads where they lie."""

from __future__ import annotations

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
    import numpy

    value = variable.value.read_value()
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
    import numpy

    if keep.mode != SAMPLED:
        return array.copy()
    count = keep.sample_elements(array.size)
    chosen: numpy.ndarray = array.ravel()[numpy.arange(count) * array.size // max(count, 1)]
    return chosen
