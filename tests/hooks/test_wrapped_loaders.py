"""`ci.batches` around the loaders of frameworks: how long it waited for each batch, as the hooks see it too."""

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset

import cirron as ci
from cirron.spool import read
from support.programs import run_program

CLOCK_NS = 1000  # a clock's segment ends within


def torch_loader():
    return DataLoader(TensorDataset(torch.ones(4, 2)), batch_size=2)


LOADERS = {
    "torch": torch_loader,
    "accelerate": lambda: Accelerator(cpu=True).prepare(torch_loader()),
}


def spans(name):
    found = [span for batch in read(Path(".cirron")).batches() for span in batch.spans]
    return sorted((span for span in found if span.name == name), key=lambda span: span.start_ns)


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
def test_each_batch_says_how_long_it_was_waited_for(make):
    loader = make()
    ci.profile(frameworks=[])
    assert len(list(ci.batches(loader))) == 2
    ci.shutdown()
    for batch in spans("batch"):
        assert 0 < batch.attrs["data_load_ns"] <= batch.end_ns - batch.start_ns + CLOCK_NS


@pytest.mark.parametrize("workers", [0, 2])
def test_it_is_what_the_hooks_call_data_load(workers):
    ci.profile(frameworks=["torch"])
    for _ in ci.batches(DataLoader(TensorDataset(torch.ones(4, 2)), num_workers=workers)):
        pass
    ci.shutdown()
    batches, loads = spans("batch"), spans("data_load")
    assert len(batches) == len(loads) == 4
    for batch, load in zip(batches, loads, strict=True):
        assert load.parent_id == batch.id
        waited_until_ns = batch.start_ns + batch.attrs["data_load_ns"]
        assert batch.start_ns <= load.start_ns <= load.end_ns <= waited_until_ns + CLOCK_NS


TENSORFLOW = """
import tensorflow as tf
import cirron as ci

ci.profile(frameworks=[])
dataset = tf.data.Dataset.range(4).batch(2)
loop = ci.batches(dataset)
assert (len(loop), loop.element_spec, loop.cardinality()) == (2, dataset.element_spec, 2)
assert [batch.numpy().tolist() for batch in loop.take(1)] == [[0, 1]]
assert len(list(ci.batches(iter(dataset)))) == 2
"""


def test_a_dataset_of_tensorflow_is_as_good_wrapped_and_its_iterator_is_timed():
    assert run_program(TENSORFLOW).code == 0
    assert [span.attrs["data_load_ns"] > 0 for span in spans("batch")] == [True, True]


def test_the_epoch_of_a_distributed_sampler_is_set_through_the_loop():
    dataset = TensorDataset(torch.ones(4, 2))
    sampler = torch.utils.data.DistributedSampler(dataset, num_replicas=2, rank=0)
    loop = ci.batches(DataLoader(dataset, sampler=sampler))
    loop.sampler.set_epoch(3)
    assert sampler.epoch == 3
