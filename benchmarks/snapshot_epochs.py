"""What the end of an epoch costs a program whose model is watched; run by `benchmarks.snapshots` with either package.

    python -P snapshot_epochs.py PACKAGES

PACKAGES is a folder with torch, in case the interpreter has none of its own. Prints a JSON list of milliseconds.
"""

import json
import sys
import tempfile
import time

sys.path.append(sys.argv[1])

import torch

import cirron as ci

EPOCHS = 8
SIZES = [2_048_000, *[147_456] * 159, 106_496]  # as many elements as ResNet-50 has, in as many tensors


class Model(torch.nn.Module):
    """Parameters, and gradients as large."""

    def __init__(self) -> None:
        super().__init__()
        self.all = torch.nn.ParameterList(torch.randn(size) for size in SIZES)
        for parameter in self.all:
            parameter.grad = torch.randn_like(parameter)


def main() -> None:
    torch.set_num_threads(1)
    model = Model()
    times_ms, ended_ns = [], None
    with tempfile.TemporaryDirectory() as folder:
        ci.profile(path=folder)
        ci.watch(model)
        for _ in ci.epochs(range(EPOCHS)):
            if ended_ns is not None:
                times_ms.append((time.thread_time_ns() - ended_ns) / 1e6)
            ended_ns = time.thread_time_ns()
        ci.shutdown()
    print(json.dumps(times_ms))


if __name__ == "__main__":
    main()
