"""When an epoch that the hooks have opened counts as done, which is when the snapshots of models are taken."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import cirron as ci
from cirron.spool import read

BATCHES = 3


@pytest.fixture
def model():
    ci.profile()
    model = nn.Linear(2, 1)
    ci.watch(model)
    yield model
    ci.shutdown()


def loader():
    return DataLoader(TensorDataset(torch.ones(BATCHES, 2)))


def train(model, x):
    model(x).sum().backward()


def epochs_with_snapshots():
    """For each epoch whether something was taken in it."""
    ci.shutdown()
    batches = list(read(".cirron/spool").batches())
    epochs = [span for batch in batches for span in batch.spans if span.name == "epoch"]
    taken = {snapshot.span_id for batch in batches for snapshot in batch.snapshots}
    return [epoch.id in taken for epoch in sorted(epochs, key=lambda span: span.start_ns)]


def test_at_the_end_of_the_loader(model):
    for (x,) in loader():
        train(model, x)
    assert epochs_with_snapshots() == [True]


def test_after_a_break(model):
    for (x,) in loader():
        train(model, x)
        break
    assert epochs_with_snapshots() == [True]


def test_when_a_generator_around_the_loop_is_closed_early(model):
    def losses():
        for (x,) in loader():
            train(model, x)
            yield x

    each = losses()
    next(each)
    each.close()
    assert epochs_with_snapshots() == [True]


def test_not_after_an_exception(model):
    with pytest.raises(ValueError, match="on purpose"):  # noqa: PT012 - the loop is what it is about
        for (x,) in loader():
            train(model, x)
            raise ValueError("on purpose")
    assert epochs_with_snapshots() == [False]


def test_not_after_an_evaluation_nor_a_peek(model):
    for (x,) in loader():
        with torch.no_grad():
            model(x)
    next(iter(loader()))
    assert epochs_with_snapshots() == []
    assert [batch.snapshots for batch in read(".cirron/spool").batches() if batch.snapshots] == []


def test_what_it_takes_counts_as_the_overhead_of_the_epoch(model):
    for (x,) in loader():
        train(model, x)
        break
    ci.shutdown()
    batches = list(read(".cirron/spool").batches())
    names = {span.id: span.name for batch in batches for span in batch.spans}
    overhead_ns = {
        names[mark.span_id]: mark.value
        for batch in batches
        for mark in batch.marks
        if mark.name == "cirron.overhead_ns" and mark.span_id in names
    }
    assert overhead_ns["epoch"] > 5 * overhead_ns["step"]
