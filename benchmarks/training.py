"""A small network trained with NumPy, plain and recorded."""

import random
import time
from collections.abc import Callable
from typing import Any

from benchmarks.timing import Gate

BATCHES = 32
BATCH_SIZE = 64
PIXELS, HIDDEN, CLASSES = 784, 128, 10


def steps(ci: Any, epochs: int) -> Callable[[], dict[str, float]]:
    """Microseconds of one training step with and without recording; nothing when NumPy is missing."""
    try:
        import numpy as np
    except ModuleNotFoundError:
        return dict
    data = _random_batches(np)
    runs = {
        "plain": lambda: _train_plain(_Network(np), data, epochs),
        "recorded": lambda: _train_recorded(ci, _Network(np), data, epochs),
    }
    gate = Gate()

    def measure() -> dict[str, float]:
        took = {}
        for name in random.sample(list(runs), len(runs)):
            gate.wait()
            start_ns = time.perf_counter_ns()
            runs[name]()
            took[name] = (time.perf_counter_ns() - start_ns) / (epochs * BATCHES) / 1e3
            ci.flush()
        return took | {"recorded/plain": took["recorded"] / took["plain"]}

    return measure


def _random_batches(np: Any) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(0)
    images = rng.random((BATCHES, BATCH_SIZE, PIXELS), dtype=np.float32)
    labels = rng.integers(0, CLASSES, (BATCHES, BATCH_SIZE))
    return list(zip(images, labels, strict=True))


def _train_plain(network: "_Network", data: list[tuple[Any, Any]], epochs: int) -> None:
    for _ in range(epochs):
        for images, labels in data:
            loss = network.forward(images, labels)
            network.backward()
            network.update()
            float(loss)


def _train_recorded(ci: Any, network: "_Network", data: list[tuple[Any, Any]], epochs: int) -> None:
    for _ in ci.epochs(range(epochs)):
        for images, labels in ci.batches(data):
            with ci.scope("forward"):
                loss = network.forward(images, labels)
            with ci.scope("backward"):
                network.backward()
            with ci.scope("update"):
                network.update()
            ci.mark("loss", float(loss))


class _Network:
    """One hidden layer, softmax and plain gradient descent."""

    def __init__(self, np: Any) -> None:
        rng = np.random.default_rng(1)
        self.np = np
        self.hidden_weights = rng.standard_normal((PIXELS, HIDDEN), dtype=np.float32) * 0.05
        self.output_weights = rng.standard_normal((HIDDEN, CLASSES), dtype=np.float32) * 0.05

    def forward(self, images: Any, labels: Any) -> Any:
        np = self.np
        self.images, self.labels, self.rows = images, labels, np.arange(len(labels))
        self.hidden = np.maximum(images @ self.hidden_weights, 0)
        scores = self.hidden @ self.output_weights
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.shares = shares / shares.sum(axis=1, keepdims=True)
        return -np.log(self.shares[self.rows, labels]).mean()

    def backward(self) -> None:
        error = self.shares.copy()
        error[self.rows, self.labels] -= 1
        error /= len(error)
        self.output_gradient = self.hidden.T @ error
        self.hidden_gradient = self.images.T @ (error @ self.output_weights.T * (self.hidden > 0))

    def update(self) -> None:
        self.output_weights -= 0.1 * self.output_gradient
        self.hidden_weights -= 0.1 * self.hidden_gradient
