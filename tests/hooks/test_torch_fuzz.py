"""Random programs of loops, calls and exceptions: whatever they do, the tree keeps its shape and nothing stays open."""

import random
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import cirron as ci
from cirron.spool import read

PROGRAMS = 200
LONGEST = 40  # actions of a program


class Program:
    """One random program, drawn while it runs."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.left = LONGEST
        self.latest = DataLoader(TensorDataset(torch.ones(2, 2)))
        self.model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1)))
        self.kept = [iter(self.latest), iter(self.latest)]
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)

    def block(self):
        while self.left > 0 and self.random.random() < 0.8:
            self.left -= 1
            self.random.choice(
                [
                    self.forward,
                    self.backward,
                    self.step,
                    self.loop,
                    self.evaluate,
                    self.own,
                    self.by_hand,
                    self.ask_kept,
                    self.fail,
                ]
            )()

    def loader(self):
        """Sometimes one that a loop around this one goes through."""
        if self.random.random() < 0.8:
            self.latest = DataLoader(TensorDataset(torch.ones(self.random.choice([0, 1, 3]), 2)))
        return self.latest

    def forward(self):
        self.model(torch.ones(1, 2))

    def backward(self):
        with torch.enable_grad():
            self.model(torch.ones(1, 2)).sum().backward()

    def step(self):
        self.optimizer.step(self.random.choice([None, self.closure]))

    def closure(self):
        self.backward()
        return 0.0

    def loop(self):
        wrapper = self.random.choice([iter, ci.batches, lambda loader: loader])
        for _ in wrapper(self.loader()):
            self.block()
            if self.random.random() < 0.2:
                break

    def evaluate(self):
        self.model.train(self.random.random() < 0.5)
        with torch.set_grad_enabled(self.random.random() < 0.5):
            self.loop()
        self.model.train()

    def own(self):
        if self.random.random() < 0.5:
            for _ in ci.epochs(range(2)):
                self.block()
        else:
            with ci.scope(self.random.choice(["mine", "forward"])):
                self.block()

    def by_hand(self):
        batches = [iter(self.loader()) for _ in range(self.random.randint(1, 2))]
        for _ in range(self.random.randint(0, 4)):
            next(self.random.choice(batches), None)
            self.forward()

    def ask_kept(self):
        """An iterator that lives until another takes its place."""
        if self.random.random() < 0.3:
            self.kept[self.random.randint(0, 1)] = iter(self.loader())
        with torch.set_grad_enabled(self.random.random() < 0.7):
            next(self.random.choice(self.kept), None)
            self.block()

    def fail(self):
        try:
            self.block()
            raise ValueError
        except ValueError:
            self.block()


def spans_of_session():
    return [span for batch in read(Path(".cirron/spool")).batches() for span in batch.spans]


def around(span, spans):
    """The names of what it lies in, without what had ended: a scope may outlive the step in which it was opened."""
    start_ns, names = span.start_ns, []
    while (span := spans.get(span.parent_id)) is not None:
        if span.end_ns >= start_ns:
            names.append(span.name)
    return names


USERS = ("mine", "forward", "batch", "epoch")
ONCE = ("forward", "backward", "optimizer_step", "data_load")


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_a_random_program_leaves_a_sound_tree(seed):
    ci.profile()
    Program(seed).block()
    errors = ci.health()["internal_errors"]
    ci.shutdown()
    spans = {span.id: span for span in spans_of_session()}
    assert errors == {}
    assert [span.name for span in spans.values() if span.end_ns is None] == []
    for span in spans.values():
        parent = spans.get(span.parent_id)
        if parent is None:
            continue
        assert parent.start_ns <= span.start_ns <= span.end_ns
        assert span.end_ns <= parent.end_ns or span.name in USERS  # around the wait for another batch by hand
        assert (
            span.name not in ONCE or parent.name != span.name or span.name == "forward"
        )  # as the user may have it
        assert span.name != "epoch" or "epoch" not in around(span, spans)
        if span.name == "step" and span.index is not None:
            assert parent.name in ("epoch", "evaluation", "peek", "cirron.session", "mine")
