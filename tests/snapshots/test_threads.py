"""Several threads that train at once: each epoch is about the models of its own thread."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import cirron as ci
from cirron.spool import read
from support.programs import run_program


def taken():
    """The snapshots of each epoch, by the names of their tensors; in the order in which the epochs began."""
    ci.shutdown()
    found, epochs = defaultdict(dict), []
    for batch in read(".cirron").batches():
        epochs += [span for span in batch.spans if span.name == "epoch"]
        for snapshot in batch.snapshots:
            assert snapshot.tensor_name not in found[snapshot.span_id], "twice in one epoch"
            found[snapshot.span_id][snapshot.tensor_name] = snapshot
    return [found[span.id] for span in sorted(epochs, key=lambda span: span.start_ns)]


def train(model, epochs=1):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    for _ in ci.epochs(range(epochs)):
        steps(model, optimizer)


def steps(model, optimizer):
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).square().mean().backward()
        optimizer.step()


@pytest.fixture
def one():
    return torch.nn.Linear(4, 1, bias=False)


@pytest.fixture
def other():
    return torch.nn.Linear(4, 2, bias=False)


def test_threads_that_train_models_of_their_own_record_these_and_live():
    ended = run_program("""if True:
        import threading, torch, cirron as ci
        ci.profile()
        def train(width):
            model = torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.Linear(width, 2))
            optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
            for epoch in ci.epochs(range(300)):
                for batch in range(5):
                    optimizer.zero_grad()
                    model(torch.ones(8, 64)).square().mean().backward()
                    optimizer.step()
        threads = [threading.Thread(target=train, args=[width]) for width in (255, 256)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        print("trained")
    """)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "trained\n", "")
    kinds = [sorted((name, tuple(each.shape)) for name, each in found.items()) for found in taken()]
    for width in (255, 256):
        weights = {"0.weight": (width, 64), "0.bias": (width,), "1.weight": (2, width), "1.bias": (2,)}
        expected = sorted([*weights.items(), *((f"{name}.grad", shape) for name, shape in weights.items())])
        assert kinds.count(expected) == 300
    assert len(kinds) == 600


def test_a_model_that_the_main_thread_names_is_looked_at_where_another_one_trains(one):
    ci.profile(frameworks=[])
    ci.watch(one)
    with ThreadPoolExecutor() as pool:
        pool.submit(train, one, 2).result()
    assert [sorted(found) for found in taken()] == [["weight", "weight.grad"]] * 2


def test_what_the_main_thread_names_belongs_to_whoever_trains(one, other):
    ci.profile()
    ci.watch(other)
    with ThreadPoolExecutor() as pool:
        pool.submit(train, one, 2).result()
    found = [sorted((name, each.attrs["model"]) for name, each in found.items()) for found in taken()]
    assert (
        found
        == [
            [
                ("Linear[1].weight", "Linear[1]"),
                ("Linear[1].weight.grad", "Linear[1]"),
                ("weight", "Linear[0]"),
            ]
        ]
        * 2
    )


def test_a_model_may_go_on_to_another_thread(one):
    optimizer = torch.optim.SGD(one.parameters(), lr=0.001)

    def epoch():
        for x in torch.utils.data.DataLoader(torch.ones(4, 4)):
            optimizer.zero_grad()
            one(x).sum().backward()
            optimizer.step()

    ci.profile()
    with ThreadPoolExecutor() as first, ThreadPoolExecutor() as second:
        for each in (first, second, first):
            each.submit(epoch).result()
    assert [sorted(found) for found in taken()] == [["weight", "weight.grad"]] * 3


def test_a_model_is_found_however_quick_another_thread_trains(one, other):
    def epoch(optimizer):
        for _ in ci.epochs(range(1)):
            steps(one, optimizer)

    ci.profile()
    with ThreadPoolExecutor() as slow, ThreadPoolExecutor() as quick:
        optimizer = slow.submit(torch.optim.SGD, one.parameters(), lr=0.001).result()
        quick.submit(train, other, 20).result()
        slow.submit(epoch, optimizer).result()
    *_, last = taken()
    assert sorted(last) == ["weight", "weight.grad"]
    assert last["weight"].shape == [1, 4]


def test_an_epoch_may_end_in_another_thread_than_its_steps(one):
    optimizer = torch.optim.SGD(one.parameters(), lr=0.001)
    ci.profile()
    with ThreadPoolExecutor() as pool:
        for _ in ci.epochs(range(2)):
            pool.submit(steps, one, optimizer).result()
    assert [sorted(found) for found in taken()] == [["weight", "weight.grad"]] * 2


def test_threads_that_name_their_models_themselves_need_no_hooks(one, other):
    def name_and_train(model):
        ci.watch(model)
        train(model, epochs=2)

    ci.profile(frameworks=[])
    with ThreadPoolExecutor() as first, ThreadPoolExecutor() as second:
        for pool, model in ((first, one), (second, other)):
            pool.submit(name_and_train, model).result()
    assert [found["weight"].shape for found in taken()] == [[1, 4], [1, 4], [2, 4], [2, 4]]
