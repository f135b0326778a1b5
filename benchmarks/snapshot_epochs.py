"""What an epoch costs a program whose model is large and whose steps are small; run by `benchmarks.snapshots`.

    python -P snapshot_epochs.py PACKAGES MODE

PACKAGES is a folder with torch, in case the interpreter has none of its own; MODE is a mode of snapshots, or `none`. It
runs with either package, and prints a JSON list of milliseconds of the processors, by all threads, one for each epoch.
"""

import json
import sys
import tempfile
import time
from itertools import pairwise

sys.path.append(sys.argv[1])

import torch

import cirron as ci

EPOCHS = 8
SIZES = [2_048_000, *[147_456] * 159, 106_496]  # as many elements as ResNet-50 has, in as many tensors


class Model(torch.nn.Module):
    """Parameters, and gradients as large."""

    def __init__(self) -> None:
        super().__init__()
        self.all = torch.nn.ParameterList(torch.randn(size) for size in [1, *SIZES])
        for parameter in self.all:
            parameter.grad = torch.randn_like(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Hardly any work."""
        return (x * self.all[0]).sum()


def main() -> None:
    torch.set_num_threads(1)
    mode = None if sys.argv[2] == "none" else sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        ci.profile(path=folder, frameworks=["torch"], snapshots=mode)
        print(json.dumps(epochs_ms(Model())))
        ci.shutdown()


def epochs_ms(model: Model) -> list[float]:
    """From the beginning of an epoch to that of the next, without the first."""
    ci.watch(model)
    optimizer = torch.optim.SGD([model.all[0]], lr=0.0)
    loader = torch.utils.data.DataLoader(torch.ones(2))
    times_ns = []
    for _ in range(EPOCHS + 2):
        times_ns.append(time.process_time_ns())
        for x in loader:
            model(x).backward()
            optimizer.step()
    return [(after - before) / 1e6 for before, after in pairwise(times_ns[1:])]


if __name__ == "__main__":
    main()
