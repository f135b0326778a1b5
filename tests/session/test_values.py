"""What may be marked beyond the plain types, and what becomes of it."""

import math
import sys
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from cirron._recorder.values import Rejected, coerce


class Phase(Enum):
    TRAIN = "train"
    THIRD = Fraction(1, 4)
    NOTHING = object()


class Level(IntEnum):
    HIGH = 3


class Split(StrEnum):
    TEST = "test"


def assert_same(found, expected):
    assert (type(found), repr(found)) == (type(expected), repr(expected))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("0.25"), 0.25),
        (Decimal("1e999"), math.inf),
        (Decimal("-inf"), -math.inf),
        (Decimal("sNaN"), math.nan),
        (Fraction(1, 4), 0.25),
        (Fraction(10**400), math.inf),
        (Fraction(-(10**400)), -math.inf),
        (Phase.TRAIN, "train"),
        (Phase.THIRD, 0.25),
        (Level.HIGH, 3),
        (Split.TEST, "test"),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (-(2**63) - 1, -float(2**63)),
        (10**400, math.inf),
    ],
    ids=repr,
)
def test_numbers_and_enums_give_the_plain_value_they_stand_for(value, expected):
    assert_same(coerce(value), expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float16("nan"), math.nan),
        (np.longdouble(0.5), 0.5),
        (np.int8(-3), -3),
        (np.uint64(2**64 - 1), float(2**64 - 1)),
        (np.True_, True),
        (np.array(0.5), 0.5),
        (np.array([[7]]), 7),
        (np.str_("text"), "text"),
        (np.array(None), None),
    ],
    ids=repr,
)
def test_numpy_scalars_and_arrays_of_one_element_give_that_element(value, expected):
    assert_same(coerce(value), expected)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        b"bytes",
        [0.5],
        {"loss": 0.5},
        1j,
        Phase.NOTHING,
        np.array([1, 2]),
        np.array([]),
        np.complex64(1j),
        np.clongdouble(1j),
        np.datetime64(5, "ns"),
        np.timedelta64(5, "ns"),
        np.array(object()),
    ],
    ids=repr,
)
def test_what_is_no_single_value_is_rejected(value):
    with pytest.raises(Rejected):
        coerce(value)


def test_nothing_is_imported_to_find_out(tmp_path):
    import subprocess

    script = (
        "import sys; from cirron._recorder.values import coerce, Rejected\n"
        "before = set(sys.modules)\n"
        "try: coerce(object())\n"
        "except Rejected: print(sorted(set(sys.modules) - before))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (found.stdout, found.stderr) == ("[]\n", "")


# ---- torch, JAX and TensorFlow: stand-ins with the few attributes that are asked of the real ones ----


class Event:
    """An event in a stream that completes when the test says so."""

    def __init__(self):
        self.has_happened = False
        self.waits = 0

    def query(self):
        return self.has_happened

    def synchronize(self):
        self.waits += 1
        self.has_happened = True


class Tensor:
    """A torch tensor that refuses whatever would make the caller wait for its device."""

    def __init__(self, value, device="cpu", numel=1):
        self.value = value
        self.device = SimpleNamespace(type=device)
        self._numel = numel

    def numel(self):
        return self._numel

    def detach(self):
        return self

    def clone(self):
        return Tensor(self.value, self.device.type)

    def to(self, device, non_blocking):
        assert non_blocking
        return Tensor(self.value, device)

    def item(self):
        assert self.device.type != "cuda", "this waits for the device"
        return self.value


@pytest.fixture
def torch(monkeypatch):
    """A module `torch` with one CUDA stream, whose event is `torch.event`."""
    event = Event()
    module = ModuleType("torch")
    module.Tensor = Tensor
    module.event = event
    module.is_capturing = False
    module.cuda = SimpleNamespace(
        current_stream=lambda device: SimpleNamespace(record_event=lambda: event),
        is_current_stream_capturing=lambda: module.is_capturing,
    )
    module.mps = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "torch", module)
    return module


class TestTorch:
    def test_a_scalar_in_host_memory_is_read_at_once(self, torch):
        assert_same(coerce(Tensor(0.5)), 0.5)

    def test_a_cuda_scalar_is_not_waited_for(self, torch):
        deferred = coerce(Tensor(0.5, "cuda"))
        assert not deferred.ready()
        assert torch.event.waits == 0

    def test_a_cuda_scalar_is_ready_once_its_stream_has_come_to_the_copy(self, torch):
        deferred = coerce(Tensor(0.5, "cuda"))
        torch.event.has_happened = True
        assert deferred.ready()
        assert_same(deferred.get(), 0.5)

    def test_a_cuda_scalar_can_be_waited_for(self, torch):
        assert_same(coerce(Tensor(0.5, "cuda")).get(), 0.5)
        assert torch.event.waits == 1

    def test_a_device_without_streams_keeps_a_copy_of_the_value_as_it_was(self, torch):
        tensor = Tensor(0.5, "mps")
        deferred = coerce(tensor)
        tensor.value = 0.75
        assert deferred.ready()
        assert_same(deferred.get(), 0.5)

    @pytest.mark.parametrize("device", ["cpu", "cuda"])
    def test_a_tensor_of_several_elements_is_rejected(self, torch, device):
        with pytest.raises(Rejected):
            coerce(Tensor(0.5, device, numel=2))

    def test_inside_a_graph_capture_a_scalar_has_no_value_yet(self, torch):
        torch.is_capturing = True
        with pytest.raises(Rejected):
            coerce(Tensor(0.5, "cuda"))


class Array:
    """A JAX array."""

    def __init__(self, value, is_ready, size=1):
        self.value = value
        self.size = size
        self.is_ready = is_ready

    def item(self):
        return self.value


@pytest.fixture
def jax(monkeypatch):
    module = ModuleType("jax")
    module.Array = Array
    monkeypatch.setitem(sys.modules, "jax", module)


class TestJax:
    def test_a_computed_scalar_is_read_at_once(self, jax):
        assert_same(coerce(Array(0.5, lambda: True)), 0.5)

    def test_a_scalar_being_computed_is_left_for_later(self, jax):
        answers = [False, False, True]
        deferred = coerce(Array(0.5, lambda: answers.pop(0)))
        assert (deferred.ready(), deferred.ready()) == (False, True)
        assert_same(deferred.get(), 0.5)

    def test_a_tracer_has_no_value(self, jax):
        def refuse():
            raise TypeError("this is a tracer")

        with pytest.raises(Rejected):
            coerce(Array(0.5, refuse))

    def test_an_array_of_several_elements_is_rejected(self, jax):
        with pytest.raises(Rejected):
            coerce(Array(0.5, lambda: False, size=2))


class TfTensor:
    """An eager TensorFlow tensor."""

    def __init__(self, value, device):
        self.value = value
        self.device = f"/job:localhost/replica:0/task:0/device:{device}:0"
        self.shape = SimpleNamespace(num_elements=lambda: np.size(value))

    def numpy(self):
        return self.value


@pytest.fixture
def tensorflow(monkeypatch):
    module = ModuleType("tensorflow")
    module.Tensor = TfTensor
    monkeypatch.setitem(sys.modules, "tensorflow", module)


class TestTensorFlow:
    def test_a_scalar_in_host_memory_is_read_at_once(self, tensorflow):
        assert_same(coerce(TfTensor(np.float32(0.5), "CPU")), 0.5)

    def test_a_scalar_on_a_device_is_left_for_the_drain(self, tensorflow):
        deferred = coerce(TfTensor(np.float32(0.5), "GPU"))
        assert deferred.ready()
        assert_same(deferred.get(), 0.5)

    @pytest.mark.parametrize("device", ["CPU", "GPU"])
    def test_several_elements_are_rejected(self, tensorflow, device):
        with pytest.raises(Rejected):
            coerce(TfTensor(np.zeros(2), device))

    def test_a_symbolic_tensor_has_no_value(self, tensorflow):
        symbolic = TfTensor(None, "CPU")
        del symbolic.value
        with pytest.raises(Rejected):
            coerce(symbolic)
