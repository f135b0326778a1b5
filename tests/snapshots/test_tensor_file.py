"""Reading values out of safetensors files."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from cirron.errors import CirronError
from cirron.snapshots import TensorFile
from support.recording import write_tensors

SPAN = "ab" * 16


def stored(values):
    """A file with one tensor, `weight`."""
    return TensorFile(Path(), write_tensors(Path(), SPAN, weight=values))


@pytest.mark.parametrize("shape", [(24,), (2, 3, 4), (1, 24), (24, 1), (4, 1, 6), (2, 2, 2, 3)])
def test_the_first_values_are_those_in_row_major_order_whatever_the_shape(shape):
    values = np.arange(24, dtype="int32").reshape(shape)
    file = stored(values)
    for count in range(1, 26):
        assert file.first("weight", count).tolist() == list(range(24))[:count]
    assert np.array_equal(file.read("weight"), values)
    assert file.shape("weight") == list(shape)


@pytest.mark.parametrize(
    "dtype",
    [
        "bool",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "uint32",
        "int32",
        "uint64",
        "int64",
        "float16",
        "float32",
        "float64",
    ],
)
def test_values_of_numpys_types_come_back_as_they_were(dtype):
    values = np.array([0, 1, 1], dtype=dtype)
    read = stored(values).read("weight")
    assert (read.dtype, read.tolist()) == (values.dtype, values.tolist())


def test_bfloat16_comes_as_such():
    values = np.array([1.5, -3], dtype=ml_dtypes.bfloat16)
    assert stored(values).first("weight", 2).tolist() == [1.5, -3]


@pytest.mark.parametrize(("shape", "first"), [((), [7.0]), ((0, 3), []), ((3, 0), [])])
def test_scalars_and_tensors_without_elements_are_read_too(shape, first):
    assert stored(np.full(shape, 7.0)).first("weight", 5).tolist() == first


def test_a_few_values_of_a_large_tensor_do_not_cost_the_whole():
    import tracemalloc

    file = stored(np.zeros((4096, 4096), dtype="float32"))
    tracemalloc.start()
    assert len(file.first("weight", 10)) == 10
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4_000_000


def test_a_name_that_is_not_in_the_file_is_answered_with_those_that_are():
    with pytest.raises(CirronError, match="has no tensor 'bias': it holds weight"):
        stored(np.ones(1)).read("bias")
