"""What the statistics of tensors cost, beside one pass of numpy.sum over the same bytes and torch's own operations.

    python -m benchmarks.snapshots

Times are of the calling thread's processor, the median of several rounds in which all take turns.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import sdk
from cirron._recorder import Recorder, array_stats
from cirron.faults import Faults
from cirron.snapshots import Taking, Watched

ELEMENTS = 25_600_000  # as many as ResNet-50 has parameters
ROUNDS = 15
Case = Callable[[], object]


def main() -> None:
    torch.set_num_threads(1)
    values = np.random.default_rng(0).standard_normal(ELEMENTS).astype(np.float32)
    print(f"{ELEMENTS / 1e6:.1f} M elements; ms, and how many times as long as numpy.sum of float32\n")
    show({**in_numpy(values), **native(values), **in_torch(values)})
    print("\na model of 161 tensors with as many parameters, and gradients as large; one epoch's snapshots\n")
    show({"numpy.sum, twice": lambda: (values.sum(), values.sum()), "all snapshots": whole_model()})
    print("\nan epoch of such a model with two steps of next to no work, as a program sees it; ms\n")
    show_epochs()


def show(cases: dict[str, Case]) -> None:
    """Run all cases in turn; the first is what the others are measured by."""
    times_ms: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            began = time.thread_time_ns()
            case()
            times_ms[name].append((time.thread_time_ns() - began) / 1e6)
    base = statistics.median(next(iter(times_ms.values())))
    for name, each in times_ms.items():
        median = statistics.median(each)
        print(f"  {name:34} {median:8.1f} {median / base:8.1f}")


def show_epochs() -> None:
    """The same program with this package and with cirron-sdk, each in an environment of its own."""
    theirs = sdk.python(Path(tempfile.gettempdir()) / f"cirron-sdk-{sdk.VERSION}")
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    both = (("cirron", sys.executable, dict(os.environ)), (f"cirron-sdk {sdk.VERSION}", theirs, alone))
    for name, interpreter, environ in both:
        for mode in ("none", "stats"):
            print(f"  {f'{name}, snapshots {mode}':34} {_epoch_ms(interpreter, mode, environ):8.1f}")


def _epoch_ms(interpreter: str, mode: str, environ: dict[str, str]) -> float:
    program = Path(__file__).with_name("snapshot_epochs.py")
    packages = str(Path(torch.__file__).parents[1])
    done = subprocess.run(
        [interpreter, "-P", program, packages, mode], check=True, capture_output=True, text=True, env=environ
    )
    return statistics.median(json.loads(done.stdout.splitlines()[-1]))


def in_numpy(values: np.ndarray) -> dict[str, Case]:
    return {"numpy.sum": values.sum}


def native(values: np.ndarray) -> dict[str, Case]:
    """The native function on each kind of element, and on a view that has gaps."""
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    spoilt = np.where(np.arange(ELEMENTS) % 1000 == 0, np.nan, values).astype(np.float32)
    arrays = {
        "float32": values,
        "float64": values.astype(np.float64),
        "float16": values.astype(np.float16),
        "bfloat16": bits,
        "int8": (values * 20).astype(np.int8),
        "int64": (values * 1000).astype(np.int64),
        "complex64 (half as many)": values.view(np.complex64),
        "float32, 1 in 1000 not finite": spoilt,
        "float32, transposed": values.reshape(1600, -1).T,
        "float32, every other": values[::2],
        "float32, subnormal": values * np.float32(1e-39),
    }
    return {f"array_stats {name}": _native(array, name) for name, array in arrays.items()}


def _native(array: np.ndarray, name: str) -> Case:
    dtype = "bfloat16" if name == "bfloat16" else array.dtype.name
    strides = tuple(stride // array.itemsize for stride in array.strides)
    address = array.__array_interface__["data"][0]
    return lambda: (array_stats(address, dtype, array.shape, strides), array)[0]


def in_torch(values: np.ndarray) -> dict[str, Case]:
    """What a snapshot would be made of without the native function."""
    tensor = torch.from_numpy(values)
    return {
        "torch.aminmax": lambda: torch.aminmax(tensor),
        "torch.std_mean": lambda: torch.std_mean(tensor),
        "torch.linalg.vector_norm": lambda: torch.linalg.vector_norm(tensor),
        "torch.histc, 16 buckets": lambda: torch.histc(tensor, 16),
    }


def whole_model() -> Case:
    """The snapshots of an epoch, up to the JSON that waits for the next batch."""
    sizes = [2_048_000, *[147_456] * 159, 106_496]
    model = torch.nn.ParameterList(torch.randn(size) for size in sizes)
    for parameter in model:
        parameter.grad = torch.randn_like(parameter)
    watched = Watched()
    watched.add(model)
    recorder = Recorder(spool_dir="", journal_dir=None, batch_fields=b"")
    taking = Taking(watched, recorder, Faults())

    def take() -> tuple[object, ...]:
        place = recorder.here()
        assert place is not None
        taking.take(*place)
        return model, recorder.drain()

    return take


if __name__ == "__main__":
    main()
