"""What tensors of every kind look like."""

import warnings
from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils._python_dispatch import TorchDispatchMode

from cirron.snapshots import looks
from cirron.snapshots.device_statistics import torch_statistics
from cirron.snapshots.on_devices import OnDevices
from cirron.snapshots.statistics import host_statistics
from support.programs import run_program

randn = partial(torch.randn, generator=torch.Generator().manual_seed(0))

DENSE = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip


def look_at(tensor):
    on_devices = OnDevices()
    look = looks.look_at(tensor, on_devices)
    on_devices.fetch()
    return look


def numbers(look):
    return (look.stats.mean, look.stats.std, look.stats.min, look.stats.max, look.stats.norm)


@pytest.mark.parametrize("dtype", DENSE)
def test_every_type_that_torch_computes_with_is_read(dtype):
    tensor = torch.tensor([[0, 1, 3], [7, 5, 2]]).to(getattr(torch, dtype))
    look = look_at(tensor)
    values = tensor.to(torch.complex128).abs().numpy()
    expected = (values.mean(), values.std(), values.min(), values.max(), np.linalg.norm(values))
    assert (look.shape, look.dtype) == ([2, 3], dtype)
    assert numbers(look) == pytest.approx(expected)


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_types_that_only_torch_can_read_are_read_by_torch(dtype):
    look = look_at(torch.tensor([1.0, 2.0, 3.0]).to(getattr(torch, dtype)))
    assert (look.dtype, look.stats.mean, look.stats.max) == (dtype, 2.0, 3.0)


def test_complex_numbers_count_by_their_magnitude_and_that_is_said():
    look = look_at(torch.tensor([3 + 4j, 0]))
    assert (look.stats.max, look.attrs) == (5.0, {"of": "magnitudes"})


def test_the_small_complex_numbers_that_only_torch_can_read_keep_their_imaginary_part(recwarn):
    with warnings.catch_warnings(action="ignore"):  # torch calls them experimental
        tensor = torch.tensor([3 + 4j, 0]).to(torch.complex32)
    assert (look_at(tensor).stats.max, recwarn.list) == (5.0, [])


@pytest.mark.parametrize(
    "view",
    [
        lambda t: t.T,
        lambda t: t[::2, 1:3],
        lambda t: t[:, :1].expand(-1, 50),
        lambda t: t.to(memory_format=torch.channels_last) if t.dim() == 4 else t.reshape(2, 3, 4, -1),
        lambda t: t[1],
        lambda t: t[1, 2],
        lambda t: torch.view_as_complex(t.reshape(-1, 2)).conj().imag,
    ],
)
def test_elements_are_found_wherever_they_lie(view):
    tensor = view(randn(48, 4))
    values = tensor.resolve_neg().double().numpy()
    expected = (values.mean(), values.std(), values.min(), values.max(), np.linalg.norm(values))
    assert numbers(look_at(tensor)) == pytest.approx(expected)


def test_a_tensor_without_elements_has_no_statistics():
    look = look_at(torch.empty(0, 3))
    assert (look.shape, look.attrs, set(numbers(look))) == ([0, 3], {}, {None})


def test_a_sparse_gradient_is_told_by_the_values_it_stores():
    layer = torch.nn.Embedding(100, 4, sparse=True)
    layer(torch.tensor([7, 7, 9])).sum().backward()
    look = look_at(layer.weight.grad)
    assert (look.shape, look.attrs) == ([100, 4], {"layout": "sparse_coo"})
    assert numbers(look)[2:4] == (1.0, 2.0)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_a_compressed_tensor_is_told_by_the_values_it_stores():
    look = look_at(torch.eye(3).to_sparse_csr())
    assert (look.shape, look.stats.min, look.attrs) == ([3, 3], 1.0, {"layout": "sparse_csr"})


def unreadable(tensor):
    look = look_at(tensor)
    assert look.stats is None
    return look.attrs["unreadable"]


def test_a_tensor_on_the_meta_device_says_so():
    assert unreadable(torch.empty(3, device="meta")) == "on the meta device, which has no elements"


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_tensor_says_so():
    assert unreadable(torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)) == "quantized"


def test_memory_that_was_freed_is_not_read():
    tensor = torch.ones(1000)
    tensor.untyped_storage().resize_(0)
    assert unreadable(tensor) == "its memory has been freed"
    part = torch.ones(1000)[500:]
    part.untyped_storage().resize_(600 * 4)
    assert unreadable(part) == "its memory has been freed"


def test_a_parameter_without_a_shape_yet_says_so():
    look = look_at(torch.nn.LazyLinear(3).weight)
    assert (look.shape, look.stats) == ([], None)


def test_a_fake_tensor_is_left_alone():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        tensor = torch.empty(3)
    look = look_at(tensor)
    assert (look.shape, look.stats) == ([3], None)
    assert "unreadable" in look.attrs


def test_a_tensor_that_is_made_of_others_has_no_memory_of_its_own():
    tensor = TwoTensor(torch.ones(2, 3), torch.ones(2, 3))
    assert unreadable(tensor) == "TwoTensor: it has no memory of its own"


def test_a_distributed_parameter_is_told_by_the_shard_that_is_here():
    ended = run_program("""if True:
        import torch, torch.distributed as dist
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.tensor import Replicate, Shard, distribute_tensor
        from cirron.snapshots import looks
        from cirron.snapshots.on_devices import OnDevices
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
        mesh = init_device_mesh("cpu", (1,))
        for placement in (Shard(0), Replicate()):
            look = looks.look_at(distribute_tensor(torch.arange(6.0).reshape(3, 2), mesh, [placement]), OnDevices())
            print(look.shape, look.dtype, look.stats.max, look.attrs)
        dist.destroy_process_group()
    """)
    assert ended.stdout.splitlines() == [
        "[3, 2] float32 5.0 {'shard': '[3, 2] by S(0)'}",
        "[3, 2] float32 5.0 {}",
    ], ended.stderr


# ---- by torch's own operations, as on a device ----


def assert_same(by_torch, native):
    assert by_torch[:2] == native[:2]
    if native[0] == 0:
        assert by_torch == native
        return
    largest = max(abs(native[4]), abs(native[5]))
    for by_one, by_the_other in zip(by_torch[2:7], native[2:7], strict=True):
        near = None if by_the_other is None else pytest.approx(by_the_other, rel=1e-6, abs=largest * 1e-12)
        assert by_one == near
    assert by_torch[7] == pytest.approx(native[7], rel=1e-12, abs=largest * 1e-12)
    for _, _, _, _, least, greatest, _, edges, _ in (by_torch, native):
        assert least == greatest or (edges[0], edges[-1]) == (least, greatest)
    assert sum(by_torch[8]) == sum(native[8])


KINDS = ["float32", "float64", "float16", "bfloat16", "complex64", "complex128"]


@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(width=32) | st.floats(-1e308, 1e308), max_size=40), st.sampled_from(KINDS)
        ),
        min_size=1,
    )
)
@settings(max_examples=200)
def test_torch_and_the_native_function_say_the_same(contents):
    tensors = [
        torch.tensor(values, dtype=torch.float64).to(getattr(torch, dtype)) for values, dtype in contents
    ]
    for tensor, by_torch in zip(tensors, torch_statistics(tensors), strict=True):
        assert_same(by_torch, host_statistics(tensor))


ADVERSARIAL = {
    "a large offset": 1e6 + randn(5000),
    "subnormal": randn(3000) * 1e-40,
    "subnormal float64": randn(3000, dtype=torch.float64) * 1e-310,
    "the smallest": torch.tensor([5e-324, 0, 5e-324], dtype=torch.float64),
    "small": randn(3000, dtype=torch.float64) * 1e-200,
    "large": randn(3000, dtype=torch.float64) * 1e200,
    "the largest": torch.tensor([1.7e308, -1.7e308, 1e308, torch.nan], dtype=torch.float64),
    "the largest of all": torch.full((5,), torch.finfo(torch.float64).max, dtype=torch.float64),
    "large and complex": randn(3000, dtype=torch.complex128) * 1e300,
    "large and all nan": torch.full((7,), torch.nan, dtype=torch.float64),
    "constant": torch.full((2049,), -0.1),
    "one element": torch.tensor(3.5),
    "empty": torch.empty(3, 0),
    "all nan": torch.full((7,), torch.nan),
    "some not finite": torch.tensor([1.0, -torch.inf, 2.0, torch.nan, torch.inf, 4.0]),
    "bfloat16": randn(4097).bfloat16(),
    "whole numbers": torch.arange(-5000, 5000),
    "truth values": torch.arange(2000) % 3 == 0,
    "transposed": randn(70, 90).T,
}


def test_tensors_of_all_kinds_are_looked_at_together_on_their_device():
    for tensor, by_torch in zip(
        ADVERSARIAL.values(), torch_statistics(list(ADVERSARIAL.values())), strict=True
    ):
        assert_same(by_torch, host_statistics(tensor))


def test_on_a_device_the_last_bucket_ends_at_the_maximum():
    tensors = [randn(50, dtype=torch.float64) for _ in range(300)]
    for tensor, (*_, edges, counts) in zip(tensors, torch_statistics(tensors), strict=True):
        assert edges[-1] == tensor.max()
        assert sum(counts) == 50


def test_a_device_goes_through_a_large_tensor_part_by_part(monkeypatch):
    monkeypatch.setattr("cirron.snapshots.device_statistics._ROW_ELEMENTS", 10)
    monkeypatch.setattr("cirron.snapshots.device_statistics._PART_ROWS", 7)
    tensors = [randn(size) for size in (25, 1001, 0, 3, 70)]
    found = torch_statistics(tensors)
    assert [each[8] for each in found] == [host_statistics(each)[8] for each in tensors]


class Operations(TorchDispatchMode):
    """Counts what torch is asked to do, by name."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.counts[function.overloadpacket.__name__] += 1
        return function(*args, **(kwargs or {}))


def test_only_one_transfer_brings_the_statistics_of_all_tensors():
    """The values of one tensor that others depend on would be read by `item`, which waits for the device."""
    with Operations() as few:
        torch_statistics([torch.ones(10)] * 2)
    with Operations() as many:
        torch_statistics([torch.ones(10)] * 200)
    assert few.counts["_local_scalar_dense"] == many.counts["_local_scalar_dense"] == 0
    assert few.counts["is_nonzero"] == many.counts["is_nonzero"] == 0
    moves = {"full", "slice", "copy_", "view", "reshape", "detach", "ones"}
    computing = [sum(each.counts[name] for name in each.counts.keys() - moves) for each in (few, many)]
    assert computing[0] == computing[1]


def test_what_a_device_cannot_compute_spoils_nothing_else():
    on_devices = OnDevices()
    good, bad = torch.ones(3, dtype=torch.float8_e5m2), torch.empty(3, dtype=torch.float4_e2m1fn_x2)
    found = []
    for each in (good, bad):
        on_devices.ask(each, found.append)
    on_devices.fetch()
    assert [type(each) for each in found] == [tuple, NotImplementedError]
