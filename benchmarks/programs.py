"""Small training programs, of which a round is short enough to be run with hooks and without in turns."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

STEPS = 200

Program = Callable[[], object]


def installed() -> dict[str, Program]:
    """One round of each program whose framework is installed."""
    makers = {
        "torch": (_mlp, _mlp_with_loader, _modules),
        "keras": (_keras_fit,),
        "transformers": (_trainer,),
    }
    found = [make for module, each in makers.items() if importlib.util.find_spec(module) for make in each]
    return {make.__name__.removeprefix("_"): make() for make in found}


def _mlp() -> Program:
    import torch

    step = _step_of_mlp()
    x, y = torch.randn(8, 32), torch.randint(0, 10, (8,))

    def run() -> None:
        for _ in range(STEPS):
            step(x, y)

    return run


def _mlp_with_loader() -> Program:
    step, loader = _step_of_mlp(), _loader()

    def run() -> None:
        for x, y in loader:
            step(x, y)

    return run


def _step_of_mlp() -> Callable[[Any, Any], None]:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    loss_of = nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> None:
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()

    return step


def _loader() -> Any:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(
        TensorDataset(torch.randn(8 * STEPS, 32), torch.randint(0, 10, (8 * STEPS,))), batch_size=8
    )


def _modules() -> Program:
    """The forward of 500 modules that do nothing, in one that does little."""
    import torch
    from torch import nn

    model = nn.Sequential(*(nn.Identity() for _ in range(499)), nn.Linear(8, 8))
    x = torch.randn(8, 8)

    def run() -> None:
        for _ in range(STEPS // 2):
            model(x)

    return run


def _keras_fit() -> Program:
    import keras
    import numpy as np

    model = keras.Sequential(
        [keras.layers.Input((32,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = np.random.default_rng(0).random((8 * STEPS, 32)), np.zeros(8 * STEPS)
    return lambda: model.fit(x, y, batch_size=8, verbose=0)


def _trainer() -> Program:
    import torch
    from torch import nn
    from transformers import Trainer, TrainingArguments

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10))

        def forward(self, x: Any, labels: Any) -> dict[str, Any]:
            return {"loss": nn.functional.cross_entropy(self.net(x), labels)}

    data = [{"x": torch.randn(32), "labels": 0} for _ in range(8 * STEPS)]
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        num_train_epochs=1,
        per_device_train_batch_size=8,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    model = Model()

    def run() -> None:
        with redirect_stdout(sys.stderr):  # where it prints what it has done
            Trainer(model, arguments, train_dataset=data).train()

    return run
