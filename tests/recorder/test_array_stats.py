"""The statistics of an array, beside what numpy makes of the same elements with more digits than float64 has."""

import math
import sys
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from cirron._recorder import array_stats
from support.programs import run_program

NAMES = ("finite", "nonfinite", "mean", "std", "min", "max", "norm", "bins", "counts")
FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
BLOCK = 2040  # elements that are read at once


def stats(array, dtype=None):
    strides = tuple(stride // array.itemsize for stride in array.strides)
    address = array.__array_interface__["data"][0]
    return dict(
        zip(NAMES, array_stats(address, dtype or array.dtype.name, array.shape, strides), strict=True)
    )


def expected(array):
    """What the finite elements come to, in extended precision, whose exponents no square of a float64 leaves."""
    values = np.abs(array) if array.dtype.kind == "c" else array
    values = values[np.isfinite(values)].astype(np.longdouble)
    if values.size == 0:
        return dict.fromkeys(("mean", "std", "min", "max", "norm"))
    mean = values.mean()
    return dict(
        mean=mean,
        std=np.sqrt(((values - mean) ** 2).mean()),
        min=values.min(),
        max=values.max(),
        norm=np.sqrt((values**2).sum()),
    )


def assert_is_right(array, found=None):
    found = found or stats(array)
    want = expected(array)
    # Around zero a mean is the little that is left of much, so its error is told in terms of the elements.
    scale = max((abs(want["min"]), abs(want["max"]))) if want["min"] is not None else 0
    for name, value in want.items():
        if found[name] is None or value is None:  # also next to the largest float64, where rounding decides
            assert value is None or value > np.finfo(float).max * (1 - 1e-12), name
        elif name == "mean":
            assert found[name] == pytest.approx(float(value), rel=1e-6, abs=float(scale) * 1e-14), name
        else:
            assert found[name] == pytest.approx(float(value), rel=1e-6, abs=float(scale) * 1e-15), name
    assert_histogram_is_right(array, found)


def assert_histogram_is_right(array, found):
    values = np.abs(array) if array.dtype.kind == "c" else array
    values = values[np.isfinite(values)].astype(np.float64)
    assert (found["finite"], found["nonfinite"]) == (values.size, array.size - values.size)
    if values.size == 0:
        assert found["bins"] is found["counts"] is None
        return
    bins = np.array(found["bins"])
    assert len(bins) == 17
    assert (np.diff(bins) >= 0).all()
    if found["min"] != found["max"]:
        assert (bins[0], bins[-1]) == (found["min"], found["max"])
    reached = [(values >= edge).sum() for edge in bins[1:16]]
    assert found["counts"] == (-np.diff([values.size, *reached, 0])).tolist()


# ---- against numpy ----


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "bool", "complex64", "complex128"])
@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_the_statistics_are_those_of_numpy_whatever_the_type_and_size(dtype, size):
    random = np.random.default_rng(size)
    values = random.normal(scale=30, size=size)
    if dtype.startswith("complex"):
        values = values + 1j * random.normal(size=size)
    if dtype.startswith("uint"):
        values = abs(values)
    assert_is_right(values.astype(dtype))


@given(st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_elements_at_all_give_the_statistics_of_numpy(data):
    dtype = data.draw(st.sampled_from([*FLOATS, *INTEGERS, "bool"]))
    shape = arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=40)
    assert_is_right(data.draw(arrays_of.arrays(dtype, shape)))


@given(
    size=st.integers(1, 3 * BLOCK),
    offset=st.floats(-1e12, 1e12),
    spread=st.floats(1e-6, 1e6),
    outliers=st.lists(st.floats(width=64), max_size=5),
    dtype=st.sampled_from(["float32", "float64"]),
)
@settings(max_examples=200)
def test_offsets_outliers_and_spread_cost_no_precision(size, offset, spread, outliers, dtype):
    values = offset + spread * np.random.default_rng(size).standard_normal(size)
    with np.errstate(over="ignore"):
        values = values.astype(dtype)
        values[: len(outliers)] = outliers[:size]
    assert_is_right(values)


def test_a_large_offset_leaves_the_spread_as_it_is():
    values = 1e9 + np.random.default_rng(0).standard_normal(100_000) * 1e-3
    found = stats(values)
    assert found["std"] == pytest.approx(float(np.std(values.astype(np.longdouble))), rel=1e-9)


def test_blocks_far_from_each_other_are_put_together():
    assert_is_right(np.repeat([0.0, 1e8, -1e8, 1e-8], BLOCK) + np.random.default_rng(0).random(4 * BLOCK))


@pytest.mark.parametrize("dtype", FLOATS)
def test_subnormal_elements_count(dtype):
    least = np.finfo(dtype).smallest_subnormal
    assert_is_right(np.arange(1, 100).astype(dtype) * least)


def test_float64_at_both_ends_of_its_range_neither_overflows_nor_vanishes():
    random = np.random.default_rng(0)
    for exponent in (-320, -300, -200, 200, 300, 307):
        assert_is_right(random.uniform(-1, 1, size=5000) * 10.0**exponent)


def test_what_lies_beyond_float64_is_none():
    largest = np.finfo(float).max
    found = stats(np.array([largest, largest]))
    assert (found["norm"], found["mean"], found["std"]) == (None, largest, 0.0)


def test_a_range_that_float64_cannot_hold_still_has_buckets():
    largest = np.finfo(float).max
    assert_is_right(np.array([-largest, 0.0, largest]))


def test_bfloat16_is_read_bit_by_bit():
    wide = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    bits = (wide.view(np.uint32) >> 16).astype(np.uint16)
    cut = (bits.astype(np.uint32) << 16).view(np.float32)
    assert_is_right(cut, stats(bits, "bfloat16"))


def test_every_float16_there_is_is_read_as_numpy_reads_it():
    bits = np.arange(65536, dtype=np.uint16).view(np.float16)
    for part in (bits, bits[:1024], bits[32768:33800]):  # all, and those around zero of either sign
        assert_is_right(part)


def test_complex_numbers_count_by_their_magnitude():
    found = stats(np.array([3 + 4j, 0, 5j]))
    assert (found["min"], found["max"], found["norm"]) == (0.0, 5.0, pytest.approx(math.sqrt(50)))


def test_a_complex_number_with_a_part_that_is_not_finite_is_not_finite():
    assert stats(np.array([1 + 1j, complex(math.inf, math.nan), complex(math.nan, 0)]))["nonfinite"] == 2


# ---- none, one, equal ----


def test_no_element_gives_no_statistics():
    assert set(stats(np.zeros((3, 0, 2))).values()) == {0, None}


def test_one_element_is_all_there_is():
    found = stats(np.array(2.5, dtype=np.float32))
    assert [found[name] for name in ("mean", "std", "min", "max", "norm")] == [2.5, 0, 2.5, 2.5, 2.5]
    assert sum(found["counts"]) == 1


@pytest.mark.parametrize("value", [0.0, -1.5, 1e-310, 1e30, -1.7e308])
def test_equal_elements_lie_in_one_bucket_and_vary_by_nothing(value):
    found = stats(np.full(10_000, value))
    assert (found["std"], found["mean"]) == (0.0, value)
    assert max(found["counts"]) == 10_000
    assert found["bins"][0] < value < found["bins"][-1]


# ---- not finite ----


def test_what_is_not_finite_is_counted_and_left_out():
    found = stats(np.array([1, math.nan, 3, math.inf, -math.inf, math.nan], dtype=np.float32))
    assert (found["finite"], found["nonfinite"], found["mean"], found["max"]) == (2, 4, 2.0, 3.0)
    assert found["counts"] == [1, *[0] * 14, 1]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("share", [0.0001, 0.5, 1.0])
def test_few_many_and_only_such_elements_are_told_from_the_others(dtype, share):
    random = np.random.default_rng(0)
    values = random.standard_normal(20_000).astype(dtype)
    values[random.random(values.size) < share] = np.nan
    values[random.random(values.size) < share / 2] = np.inf
    values[random.random(values.size) < share / 3] = -np.inf
    assert_is_right(values)


# ---- where the elements lie ----


LAYOUTS = {
    "transposed": lambda a: a.T,
    "every other": lambda a: a[::2, 1::3],
    "backwards": lambda a: a[::-1, ::-1],
    "repeated": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "one element repeated": lambda a: np.broadcast_to(a[0, 0], a.shape),
    "part": lambda a: a[5:90, 7:40],
    "channels last": lambda a: a.reshape(10, 6, 5, -1).transpose(0, 3, 1, 2),
    "shuffled with gaps": lambda a: a.reshape(10, 6, 5, -1)[::3, :, 1:4].transpose(2, 3, 0, 1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "float64", "complex128"])
def test_elements_are_found_wherever_they_lie(layout, dtype):
    array = np.random.default_rng(0).normal(scale=20, size=(100, 60)).astype(dtype)
    assert_is_right(LAYOUTS[layout](array))


def test_elements_at_an_odd_address_are_read():
    raw = np.zeros(4001, dtype=np.uint8)
    array = raw[1:].view(np.float32)
    array[:] = np.random.default_rng(0).standard_normal(1000)
    assert_is_right(array)


# ---- how it behaves ----


@pytest.fixture
def no_switches():
    """Threads take turns only where one of them lets go of the interpreter."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval_s)


def test_another_thread_runs_meanwhile(no_switches):
    array = np.ones(1_000_000, dtype=np.float32)
    may_run, has_run = threading.Lock(), []
    may_run.acquire()
    thread = threading.Thread(target=lambda: (may_run.acquire(), has_run.append(None)))
    thread.start()
    may_run.release()
    tries = 0
    while not has_run and tries < 1000:
        stats(array)
        tries += 1
    assert has_run
    thread.join()


def test_a_large_array_takes_no_memory_to_speak_of():
    script = """if True:
        import resource
        import numpy as np
        from cirron._recorder import array_stats
        array = np.ones((4000, 5000), dtype=np.float16)[:, ::2]
        address = array.ctypes.data
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        array_stats(address, "float16", array.shape, (5000, 2))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    assert int(run_program(script).stdout) < 1024  # KiB


@pytest.mark.parametrize(
    "arguments",
    [(0, "float8", (1,), (1,)), (0, "float32", (1, 2), (1,)), (0, "float32", (-1,), (1,))],
)
def test_what_is_no_array_is_refused(arguments):
    with pytest.raises(ValueError):
        array_stats(*arguments)
