"""Snapshots of real torch models, as a program would have them taken."""

import copy
import gc
import logging
import signal
import weakref
from collections import Counter

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import cirron as ci
from cirron.snapshots.gradients import state_of
from cirron.spool import read, seal_dead_journals
from support.programs import run_program


def taken(folder=".cirron"):
    """The snapshots of a folder, epoch by epoch."""
    batches = list(read(folder).batches())
    epochs = {span.id: span.index for batch in batches for span in batch.spans if span.name == "epoch"}
    found = {index: {} for index in sorted(epochs.values())}
    for batch in batches:
        for snapshot in batch.snapshots:
            assert snapshot.tensor_name not in found[epochs[snapshot.span_id]], "twice in one epoch"
            found[epochs[snapshot.span_id]][snapshot.tensor_name] = snapshot
    return found


def train(model, epochs=1, inputs=4):
    """A few steps of a loop as anybody would write it; gives each epoch back before it ends."""
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.1)
    for epoch in ci.epochs(range(epochs)):
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(2, inputs)).square().sum().backward()
            optimizer.step()
        yield epoch


def run(model, **options):
    list(train(model, **options))
    ci.shutdown()
    return taken()


@pytest.fixture
def small():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2, bias=False))


# ---- what is looked at ----


def test_each_epoch_has_the_parameters_and_their_gradients(small):
    ci.profile()
    ci.watch(small)
    names = ["0.bias", "0.bias.grad", "0.weight", "0.weight.grad", "1.weight", "1.weight.grad"]
    assert {epoch: sorted(found) for epoch, found in run(small, epochs=2).items()} == {0: names, 1: names}


def test_a_snapshot_is_of_the_moment_at_which_its_epoch_ends(small):
    ci.profile()
    ci.watch(small)
    at_the_end = []
    for _ in train(small, epochs=3):
        gradient = small[0].weight.grad
        at_the_end.append((small[0].weight.detach().numpy().copy(), gradient.numpy().copy()))
    ci.shutdown()
    for found, (weight, gradient) in zip(taken().values(), at_the_end, strict=True):
        for name, array in (("0.weight", weight), ("0.weight.grad", gradient)):
            stats = found[name].stats
            values = array.astype(np.float64)
            expected = (values.mean(), values.std(), values.min(), values.max(), np.linalg.norm(values))
            assert (stats.mean, stats.std, stats.min, stats.max, stats.norm) == pytest.approx(expected)
            assert sum(stats.histogram.counts) == values.size
            assert (found[name].shape, found[name].dtype) == ([3, 4], "float32")


def test_a_model_without_gradients_has_its_parameters(small):
    ci.profile()
    ci.watch(small)
    list(ci.epochs(range(1)))
    ci.shutdown()
    assert sorted(taken()[0]) == ["0.bias", "0.weight", "1.weight"]


def test_an_epoch_that_is_left_early_is_looked_at_too(small):
    ci.profile()
    ci.watch(small)
    for _ in ci.epochs(range(5)):
        break
    ci.shutdown()
    assert list(taken()) == [0]
    assert "0.weight" in taken()[0]


# ---- which parameters ----


def test_tied_parameters_come_once_with_all_their_names(small):
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    model[1].weight = model[2].weight = model[0].weight
    ci.profile()
    ci.watch(model)
    found = run(model)[0]
    assert sorted(found) == [
        "0.bias", "0.bias.grad", "0.weight", "0.weight.grad", "1.bias", "1.bias.grad", "2.bias", "2.bias.grad",
    ]  # fmt: skip
    assert found["0.weight"].attrs == {"tied": "1.weight, 2.weight"}


def test_the_names_of_tied_parameters_are_as_long_as_an_attribute_may_be():
    model = torch.nn.ModuleDict({name: torch.nn.Linear(1, 1, bias=False) for name in ("a", "ä" * 200)})
    model["ä" * 200].weight = model["a"].weight
    ci.profile()
    ci.watch(model)
    list(ci.epochs(range(1)))
    ci.shutdown()
    assert taken()[0]["a.weight"].attrs == {"tied": "ä" * 128}


def test_frozen_parameters_are_looked_at_once_and_when_they_change_all_the_same(small):
    small[0].requires_grad_(requires_grad=False)
    ci.profile()
    ci.watch(small)
    for epoch in train(small, epochs=4):
        if epoch == 2:
            with torch.no_grad():
                small[0].bias.add_(1)
    ci.shutdown()
    frozen = {epoch: sorted(name for name in found if name[0] == "0") for epoch, found in taken().items()}
    assert frozen == {0: ["0.bias", "0.weight"], 1: [], 2: ["0.bias"], 3: []}
    assert taken()[0]["0.weight"].attrs == {"frozen": True}


def test_an_average_of_weights_that_is_kept_through_data_is_looked_at_in_each_epoch(small):
    average = copy.deepcopy(small).requires_grad_(requires_grad=False)
    ci.profile(frameworks=[])
    ci.watch(average)
    for epoch in train(small, epochs=4):
        for mean, now in zip(average.parameters(), small.parameters(), strict=True):
            mean.data.mul_(0.5).add_(now.data, alpha=0.5 if epoch < 3 else 0)
            mean.data.mul_(1 if epoch < 3 else 2)
    ci.shutdown()
    assert {epoch: len(found) for epoch, found in taken().items()} == {0: 3, 1: 3, 2: 3, 3: 0}


def test_every_session_looks_at_frozen_parameters_anew(small):
    small.requires_grad_(requires_grad=False)
    ci.watch(small)
    for folder in ("one", "two"):
        ci.profile(path=folder)
        list(ci.epochs(range(2)))
        ci.shutdown()
        assert [len(found) for found in taken(folder).values()] == [3, 0]


def test_a_parameter_with_elements_that_are_not_finite_says_how_many(small):
    ci.profile()
    ci.watch(small)
    with torch.no_grad():
        small[0].bias[0], small[0].bias[1] = float("nan"), float("inf")
    list(ci.epochs(range(1)))
    ci.shutdown()
    bias = taken()[0]["0.bias"]
    assert bias.attrs == {"nonfinite": 2}
    assert bias.stats.mean == bias.stats.max == small[0].bias[2].item()


def test_a_parameter_that_lost_all_elements_to_nan_has_no_statistics(small):
    ci.profile()
    ci.watch(small)
    torch.nn.init.constant_(small[0].bias, float("nan"))
    list(ci.epochs(range(1)))
    ci.shutdown()
    bias = taken()[0]["0.bias"]
    assert (bias.attrs, bias.stats.mean, bias.stats.histogram) == ({"nonfinite": 3}, None, None)


def test_the_wrappers_of_torch_do_not_show_in_names(small):
    compiled = torch.compile(small, backend="eager")
    ci.profile()
    ci.watch(torch.nn.DataParallel(compiled))
    ci.watch(compiled)
    list(ci.epochs(range(1)))
    ci.shutdown()
    assert sorted(taken()[0]) == ["0.bias", "0.weight", "1.weight"]


# ---- several models ----


def test_models_are_told_apart(small):
    other = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False))
    head = torch.nn.Linear(1, 1)
    ci.profile()
    for model in (small, other, head):
        ci.watch(model)
    list(ci.epochs(range(1)))
    ci.shutdown()
    assert {name: snapshot.attrs["model"] for name, snapshot in taken()[0].items()} == {
        "0.weight": "Sequential[0]",
        "0.bias": "Sequential[0]",
        "1.weight": "Sequential[0]",
        "Sequential[1].0.weight": "Sequential[1]",
        "weight": "Linear",
        "bias": "Linear",
    }


def test_a_model_that_is_watched_twice_is_looked_at_once(small):
    ci.profile()
    ci.watch(small)
    ci.watch(small)
    assert len(run(small)[0]) == 6


def test_what_two_models_share_comes_once(small):
    ci.profile()
    ci.watch(small)
    ci.watch(torch.nn.ModuleList([small]))
    ci.watch(small[0])
    list(ci.epochs(range(1)))
    ci.shutdown()
    assert sorted(taken()[0]) == ["0.bias", "0.weight", "1.weight"]


def test_watching_keeps_no_model_alive(small):
    model = torch.nn.Linear(2, 2)
    reference = weakref.ref(model)
    ci.profile()
    ci.watch(model)
    ci.watch(small)
    list(ci.epochs(range(1)))
    del model
    gc.collect()
    assert reference() is None
    list(ci.epochs(range(1)))
    ci.shutdown()


# ---- when ----


def test_a_model_may_be_named_before_the_session_and_for_the_next_one(small):
    ci.watch(small)
    for folder in ("one", "two"):
        ci.profile(path=folder)
        list(ci.epochs(range(1)))
        ci.shutdown()
        assert len(taken(folder)[0]) == 3


def test_a_model_named_within_an_epoch_is_looked_at_when_that_ends(small):
    ci.profile()
    for _ in ci.epochs(range(1)):
        ci.watch(small)
    ci.shutdown()
    assert len(taken()[0]) == 3


def test_without_snapshots_nothing_is_looked_at(small):
    ci.profile(snapshots=None)
    ci.watch(small)
    assert run(small) == {0: {}}


def test_without_a_session_nothing_happens(small):
    ci.watch(small)
    assert list(train(small)) == [0]


def test_an_instance_looks_at_its_own_models(small, tmp_path):
    mine = ci.Cirron(output_dir="mine")
    none = ci.Cirron(output_dir="none", snapshots=None)
    for recorder in (mine, none):
        recorder.watch(small)
        recorder.profile()
    for recorder in (mine, none):
        list(recorder.epochs(range(1)))
        recorder.shutdown()
    assert (len(taken("mine")[0]), len(taken("none")[0])) == (3, 0)


def test_a_call_decides_against_its_instance(small):
    recorder = ci.Cirron(snapshots=None)
    recorder.watch(small)
    recorder.profile(snapshots="stats")
    list(recorder.epochs(range(1)))
    recorder.shutdown()
    assert len(taken()[0]) == 3


# ---- what goes wrong ----


@pytest.mark.parametrize("thing", [None, [], "model", torch.nn.Linear, 5])
def test_what_is_no_model_is_named_in_a_warning(thing, caplog):
    with caplog.at_level(logging.WARNING, "cirron"):
        ci.watch(thing)
    assert "pass a torch.nn.Module or a Keras model" in caplog.text


def test_a_model_that_fails_hurts_nobody(small, caplog):
    class Failing(torch.nn.Module):
        def named_parameters(self, *args, **kwargs):
            raise RuntimeError("not today")

    failing = Failing()
    ci.profile()
    ci.watch(failing)
    assert list(ci.epochs(range(3))) == [0, 1, 2]
    assert ci.health()["internal_errors"] == {
        "snapshots": 1 + 3
    }  # when it is named, and at the end of each epoch
    assert caplog.text.count("not today") == 1
    ci.shutdown()


def test_a_training_with_tensors_that_have_no_memory_goes_on_and_the_next_one_is_looked_at():
    ended = run_program("""if True:
        import torch, cirron as ci
        from torch._subclasses.fake_tensor import FakeTensorMode
        def train():
            model = torch.nn.Linear(30, 20)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for epoch in ci.epochs(range(1)):
                optimizer.zero_grad()
                model(torch.ones(2, 30)).square().sum().backward()
                optimizer.step()
        ci.profile()
        with FakeTensorMode():
            train()
        train()
        print(ci.health()["internal_errors"])
    """)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "{}\n", "")
    batches = list(read(".cirron").batches())
    fake, real = sorted(
        (span.start_ns, span.id) for batch in batches for span in batch.spans if span.name == "epoch"
    )
    unreadable = Counter(
        (each.span_id, "unreadable" in each.attrs) for batch in batches for each in batch.snapshots
    )
    assert unreadable == {(fake[1], True): 4, (real[1], False): 4}
    summary = {
        (mark.span_id, mark.name)
        for batch in batches
        for mark in batch.marks
        if mark.name in ("grad_norm", "update_ratio")
    }
    assert summary == {(real[1], "grad_norm"), (real[1], "update_ratio")}


@pytest.mark.parametrize("error", [TimeoutError, RuntimeError, ValueError])
@pytest.mark.parametrize("calls", [1, 2])
def test_what_a_signal_handler_raises_in_the_midst_of_a_look_is_for_the_program(error, calls):
    class Interrupted(torch.Tensor):
        """A signal comes while one of the looks at it is under way."""

        left = None

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function is torch.Tensor.detach and cls.left is not None:
                cls.left -= 1
                if cls.left == 0:
                    signal.raise_signal(signal.SIGALRM)
            return super().__torch_function__(function, types, args, kwargs)

    def too_long(*_):
        raise error("training takes too long")

    def end_an_epoch():
        for _ in ci.epochs(range(1)):
            Interrupted.left = calls

    before = signal.signal(signal.SIGALRM, too_long)
    model = torch.nn.Module()
    model.interrupted = torch.nn.Parameter(Interrupted(torch.ones(2)))
    ci.profile(frameworks=[])
    ci.watch(model)
    try:
        with pytest.raises(error, match="training takes too long"):
            end_an_epoch()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ci.health()["internal_errors"] == {}
    ci.shutdown()


def test_an_error_of_a_models_own_is_none_of_a_signal_handler(small, caplog):
    def handler(*_):
        raise AssertionError

    small.named_parameters = lambda **_: 1 / 0
    before = signal.signal(signal.SIGALRM, handler)
    ci.profile()
    ci.watch(small)
    try:
        assert list(ci.epochs(range(2))) == [0, 1]
    finally:
        signal.signal(signal.SIGALRM, before)
    assert caplog.text.count("division by zero") == 1
    ci.shutdown()


# ---- what it leaves as it was ----


class Dispatched(TorchDispatchMode):
    """Counts the operations of torch."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


class Called(TorchFunctionMode):
    """Counts the calls of torch's functions."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("mode", [Dispatched, Called])
def test_a_mode_of_the_programs_sees_nothing_of_a_look(small, mode):
    counts = []
    for settings in (dict(snapshots=None), dict(snapshots="full")):
        model = copy.deepcopy(small)
        ci.profile(frameworks=[], **settings)
        ci.watch(model)
        with mode() as counting:
            list(train(model, epochs=2))
        ci.shutdown()
        counts.append(counting.count)
    assert counts[0] == counts[1] > 0


@pytest.fixture
def converting_in_place():
    torch.__future__.set_swap_module_params_on_conversion(True)
    yield
    torch.__future__.set_swap_module_params_on_conversion(False)


@pytest.mark.usefixtures("converting_in_place")
def test_a_model_can_be_converted_in_place_and_is_still_known(small):
    ci.profile()
    ci.watch(small)
    for _ in ci.epochs(range(3)):
        small.double()
        small.load_state_dict(small.state_dict())
        optimizer = torch.optim.SGD(small.parameters(), lr=0.1)
        small(torch.ones(2, 4, dtype=torch.float64)).square().sum().backward()
        optimizer.step()
    ci.shutdown()
    assert [len(found) for found in taken().values()] == [6, 6, 6]
    ratios = [
        mark for batch in read(".cirron").batches() for mark in batch.marks if mark.name == "update_ratio"
    ]
    assert [mark.value is not None for mark in ratios] == [True] * 3


TRAINING = """
import hashlib, torch
{before}
torch.manual_seed(0)
from torch.nn import BatchNorm1d, Dropout, Linear
model = torch.nn.Sequential(Linear(8, 16), BatchNorm1d(16), Dropout(), Linear(16, 1))
{watch}
optimizer = torch.optim.Adam(model.parameters())
losses = []
for epoch in {epochs}:
    for step in range(5):
        optimizer.zero_grad()
        loss = model(torch.randn(4, 8)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
state = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
print(losses, hashlib.sha256(state).hexdigest())
"""


def test_a_training_comes_out_the_same_to_the_bit():
    plain = run_program(TRAINING.format(before="", watch="", epochs="range(3)"))
    watched = run_program(
        TRAINING.format(
            before="import cirron as ci; ci.profile()", watch="ci.watch(model)", epochs="ci.epochs(range(3))"
        )
    )
    assert (plain.code, watched.code, watched.stderr) == (0, 0, "")
    assert watched.stdout == plain.stdout
    assert [len(found) for found in taken().values()] == [12, 12, 12]


def test_a_process_that_is_killed_has_left_the_snapshots_of_the_epochs_before():
    ended = run_program(
        "import os, signal, torch, cirron as ci\n"
        "ci.profile()\n"
        "model = torch.nn.Linear(2, 2)\n"
        "ci.watch(model)\n"
        "for epoch in ci.epochs(range(9)):\n"
        "    if epoch == 3:\n"
        "        ci.flush()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert ended.code == -9
    seal_dead_journals(".cirron")
    assert [len(found) for found in taken().values()] == [2, 2, 2, 0]


def test_a_tensor_is_another_than_the_one_before_it_at_the_same_address():
    memory = np.ones(8)
    first = torch.from_numpy(memory)
    before = state_of(first)
    assert before == state_of(first)
    del first
    assert before != state_of(torch.from_numpy(memory))


@pytest.mark.parametrize("requires_grad", [True, False])
def test_of_parameters_that_a_model_has_no_more_nothing_is_kept(small, requires_grad):
    def kept():
        gc.collect()
        return sum(type(each) is torch.Tensor and each.shape == (256,) for each in gc.get_objects())

    ci.profile()
    ci.watch(small)
    for epoch in ci.epochs(range(20)):
        small[0].weight = torch.nn.Parameter(torch.ones(100, 4), requires_grad=requires_grad)
        if epoch == 2:
            after_few = kept()
    assert kept() == after_few
    ci.shutdown()
