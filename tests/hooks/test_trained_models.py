"""Models that nobody has named: hooks find them by what their optimizers train."""

import copy
import gc
import weakref
from pathlib import Path

import pytest
import torch
from torch import nn

import cirron as ci
from cirron.snapshots import TensorFile
from cirron.spool import read
from support.programs import run_program


def loader(batches=2):
    return torch.utils.data.DataLoader(torch.randn(2 * batches, 3), batch_size=2)


def train(call, optimizer, data=None, epochs=1, clears_after=False):
    """A loop as anybody would write it."""
    for _ in range(epochs):
        for x in loader() if data is None else data:
            if not clears_after:
                optimizer.zero_grad()
            call(x).square().mean().backward()
            optimizer.step()
            if clears_after:
                optimizer.zero_grad()


def taken(folder=".cirron"):
    """The snapshots of each epoch by the names of their tensors."""
    batches = list(read(folder).batches())
    epochs = {span.id: span.index for batch in batches for span in batch.spans if span.name == "epoch"}
    found = {index: {} for index in sorted(epochs.values())}
    for batch in batches:
        for snapshot in batch.snapshots:
            assert snapshot.tensor_name not in found[epochs[snapshot.span_id]], "twice in one epoch"
            found[epochs[snapshot.span_id]][snapshot.tensor_name] = snapshot
    return found


def names(folder=".cirron"):
    ci.shutdown()
    return {epoch: sorted(found) for epoch, found in taken(folder).items()}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1, bias=False))


OF_NET = ["0.bias", "0.bias.grad", "0.weight", "0.weight.grad", "2.weight", "2.weight.grad"]

# ---- which models ----


def test_a_module_is_found_whose_parameters_are_a_list(net):
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = net.requires_grad_(requires_grad=False)
            self.last = nn.Linear(1, 1)

        def parameters(self, recurse=True):
            return [each for each in super().parameters(recurse) if each.requires_grad]

        def forward(self, x):
            return self.last(self.body(x))

    ci.profile()
    head = Head()
    train(head, torch.optim.SGD(head.parameters(), lr=0.1))
    assert ci.health()["internal_errors"] == {}
    assert {"last.weight", "last.bias"} < set(names()[0])


def test_a_forked_child_finds_the_model_that_it_goes_on_with():
    program = (
        "import os, torch, cirron as ci\n"
        "ci.profile()\n"
        "net = torch.nn.Linear(3, 1)\n"
        "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "def train():\n"
        "    for _ in ci.epochs(range(2)):\n"
        "        net(torch.ones(1, 3)).sum().backward()\n"
        "        optimizer.step()\n"
        "train()\n"
        "child = os.fork()\n"
        "train()\n"
        "if child: os.waitpid(child, 0)\n"
    )
    assert run_program(program).code == 0
    of_pids = {}
    for batch in read(".cirron").batches():
        of_pids.setdefault(batch.pid, []).extend(each.tensor_name for each in batch.snapshots)
    (child, parent) = sorted(of_pids.values(), key=len)
    assert sorted(child) == sorted(["bias", "bias.grad", "weight", "weight.grad"] * 2)
    assert len(parent) == 2 * len(child)


def test_a_model_is_found_by_its_optimizer(net):
    ci.profile()
    train(net, torch.optim.SGD(net.parameters(), lr=0.1), epochs=2)
    assert names() == {0: OF_NET, 1: OF_NET}


def test_an_optimizer_may_be_older_than_the_session(net):
    optimizer = torch.optim.Adam(net.parameters())
    train(net, optimizer)
    ci.profile()
    train(net, optimizer)
    assert names() == {0: OF_NET}


def test_a_loop_wrapper_does_not_hide_the_model(net):
    ci.profile()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in ci.epochs(range(2)):
        train(net, optimizer)
    assert names() == {0: OF_NET, 1: OF_NET}


def test_a_model_that_is_watched_and_found_comes_once(net):
    ci.profile()
    ci.watch(net)
    train(net, torch.optim.SGD(net.parameters(), lr=0.1))
    ci.shutdown()
    found = taken()[0]
    assert sorted(found) == OF_NET
    assert all(snapshot.attrs == {} for snapshot in found.values())


def test_two_models_with_an_optimizer_each_come_once_each(net):
    judge = nn.Linear(1, 1)
    ci.profile()
    of_net, of_judge = torch.optim.SGD(net.parameters(), lr=0.1), torch.optim.SGD(judge.parameters(), lr=0.1)
    for x in loader():
        fake = net(x)
        of_judge.zero_grad()
        judge(fake.detach()).mean().backward()
        of_judge.step()
        of_net.zero_grad()
        judge(fake).mean().backward()
        of_net.step()
    assert names() == {0: sorted([*OF_NET, "weight", "weight.grad", "bias", "bias.grad"])}
    models = {name: snapshot.attrs["model"] for name, snapshot in taken()[0].items()}
    assert (models["0.weight"], models["bias.grad"]) == ("Sequential", "Linear")


def test_a_model_whose_training_is_over_is_no_part_of_another_training(net):
    later = nn.Linear(3, 1)
    ci.profile()
    train(net, torch.optim.SGD(net.parameters(), lr=0.1))
    train(later, torch.optim.SGD(later.parameters(), lr=0.1), epochs=2)
    train(net, torch.optim.SGD(net.parameters(), lr=0.1))
    of_later = ["bias", "bias.grad", "weight", "weight.grad"]
    assert names() == {0: OF_NET, 1: of_later, 2: of_later, 3: OF_NET}
    marks = [mark for batch in read(".cirron").batches() for mark in batch.marks]
    norms = [mark.value for mark in marks if mark.name == "grad_norm"]
    squares = [
        sum(each.stats.norm**2 for name, each in found.items() if name.endswith(".grad"))
        for found in taken().values()
    ]
    assert [norm**2 for norm in norms] == pytest.approx(squares)


def test_a_model_that_is_watched_is_looked_at_whoever_is_trained(net):
    later = nn.Linear(3, 1, bias=False)
    ci.profile()
    ci.watch(net)
    train(later, torch.optim.SGD(later.parameters(), lr=0.1), epochs=2)
    assert names() == {epoch: ["0.bias", "0.weight", "2.weight", "weight", "weight.grad"] for epoch in (0, 1)}


def test_an_optimizer_that_torch_cannot_see_at_work_counts_as_well(net):
    class Unseen(torch.optim.SGD):
        def step(self):
            for each in self.param_groups[0]["params"]:
                each.data.sub_(each.grad.data, alpha=0.1)

    other = nn.Linear(3, 1, bias=False)
    ci.profile()
    of_net, of_other = Unseen(net.parameters(), lr=0.1), torch.optim.SGD(other.parameters(), lr=0.1)
    for _ in range(3):
        for x in loader():
            for model, optimizer in ((net, of_net), (other, of_other)):
                optimizer.zero_grad()
                model(x).square().mean().backward()
                optimizer.step()
    both = sorted([*OF_NET, "weight", "weight.grad"])
    assert names() == {0: both, 1: both, 2: both}


def test_where_nothing_is_learned_the_models_are_looked_at_all_the_same(net):
    ci.profile()
    train(net, torch.optim.SGD(net.parameters(), lr=0.1))
    for x in loader():
        net(x).square().mean().backward()
    assert names() == {0: OF_NET, 1: OF_NET}


def test_parts_that_are_called_one_by_one_are_found_one_by_one(net):
    ci.profile()
    train(lambda x: net[2](net[1](net[0](x))), torch.optim.SGD(net.parameters(), lr=0.1))
    assert names() == {
        0: ["Linear[1].weight", "Linear[1].weight.grad", "bias", "bias.grad", "weight", "weight.grad"]
    }


def test_what_no_module_has_is_named_by_its_place_in_the_optimizer(net):
    scale, shift = torch.ones(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    ci.profile()
    optimizer = torch.optim.SGD([{"params": net.parameters()}, {"params": [scale, shift]}], lr=0.1)
    train(lambda x: net(x) * scale + shift, optimizer)
    loose = [f"param_groups[1].params[{place}]{kind}" for place in (0, 1) for kind in ("", ".grad")]
    assert names() == {0: sorted([*OF_NET, *loose])}


def test_a_module_that_no_optimizer_trains_is_not_looked_at(net):
    teacher = nn.Linear(3, 1)
    ci.profile()
    train(lambda x: net(x) - teacher(x), torch.optim.SGD(net.parameters(), lr=0.1))
    assert names() == {0: OF_NET}


def test_a_module_that_is_called_late_is_found_then(net):
    late = nn.Linear(3, 1, bias=False)
    ci.profile()
    optimizer = torch.optim.SGD([*net.parameters(), *late.parameters()], lr=0.1)
    train(net, optimizer)
    train(lambda x: net(x) + late(x), optimizer)
    first, second = names().values()
    assert first == sorted([*OF_NET, "param_groups[0].params[3]"])
    assert second == sorted([*OF_NET, "weight", "weight.grad"])


def test_a_compiled_model_has_the_names_of_the_model(net):
    ci.profile()
    compiled = torch.compile(net, backend="eager")
    train(compiled, torch.optim.SGD(net.parameters(), lr=0.1), epochs=2)
    assert names()[1] == OF_NET


def test_the_names_of_a_model_stay_when_another_one_goes():
    ci.profile()
    old, new = nn.Linear(3, 1), nn.Linear(3, 1)
    train(old, torch.optim.SGD(old.parameters(), lr=0.1))
    optimizer = torch.optim.SGD(new.parameters(), lr=0.1)
    train(new, optimizer)
    del old
    gc.collect()
    train(new, optimizer)
    latest = nn.Linear(3, 1)
    train(latest, torch.optim.SGD(latest.parameters(), lr=0.1))
    train(new, optimizer)
    own = ["bias", "bias.grad", "weight", "weight.grad"]
    of_new = [f"Linear[1].{name}" for name in own]
    assert names() == {0: own, 1: of_new, 2: of_new, 3: own, 4: of_new}


def test_a_model_that_follows_the_one_that_trains_does_not_count_for_how_far_that_has_come(net):
    ci.profile()
    average = copy.deepcopy(net)
    ci.watch(average)
    before = nn.utils.parameters_to_vector(net.parameters()).detach()
    train(net, torch.optim.SGD(net.parameters(), lr=0.1))
    after = nn.utils.parameters_to_vector(net.parameters()).detach()
    ci.shutdown()
    (ratio,) = [
        mark.value
        for batch in read(".cirron").batches()
        for mark in batch.marks
        if mark.name == "update_ratio"
    ]
    assert ratio == pytest.approx(float((after - before).norm() / before.norm()))


def test_models_of_an_earlier_session_are_not_looked_at(net):
    other = nn.Linear(3, 1, bias=False)
    ci.profile(path="one")
    train(net, torch.optim.SGD(net.parameters(), lr=0.1))
    ci.shutdown()
    ci.profile(path="two")
    train(other, torch.optim.SGD(other.parameters(), lr=0.1))
    assert names("two") == {0: ["weight", "weight.grad"]}


def test_nothing_is_looked_at_without_snapshots(net):
    ci.profile(snapshots=None)
    train(net, torch.optim.SGD(net.parameters(), lr=0.1))
    assert names() == {0: []}


def test_nothing_keeps_an_optimizer_or_a_model_alive():
    def train_and_forget():
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        train(model, optimizer)
        return weakref.ref(model), weakref.ref(optimizer)

    ci.profile()
    model, optimizer = train_and_forget()
    gc.collect()
    assert (model(), optimizer()) == (None, None)
    ci.shutdown()


def test_an_epoch_that_is_left_early_is_looked_at_too(net):
    ci.profile()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        for x in loader(5):
            net(x).square().mean().backward()
            optimizer.step()
            break
    assert names() == {0: OF_NET, 1: OF_NET}


def test_an_epoch_within_a_loop_wrapper_for_batches_has_its_own_snapshots_and_marks(net):
    ci.profile()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    train(net, optimizer, ci.batches(loader()))
    assert names() == {0: OF_NET}
    batches = list(read(".cirron").batches())
    epoch = next(span for batch in batches for span in batch.spans if span.name == "epoch")
    marks = {mark.name for batch in batches for mark in batch.marks if mark.span_id == epoch.id}
    assert {"grad_norm", "update_ratio"} <= marks


# ---- gradients that are cleared before the epoch ends ----


def test_gradients_that_are_cleared_after_each_step_are_those_of_the_last_step(net):
    ci.profile()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    seen = []
    for x in loader():
        net(x).square().mean().backward()
        seen.append(net[0].weight.grad.norm().item())
        optimizer.step()
        optimizer.zero_grad()
    assert names() == {0: OF_NET}
    assert taken()[0]["0.weight.grad"].stats.norm == pytest.approx(seen[-1])


@pytest.mark.parametrize("mode", ["stats", "full"])
def test_gradients_that_are_set_to_zero_after_each_step_are_those_of_the_last_step_too(net, mode):
    ci.profile(snapshots=mode)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for x in loader():
        net(x).square().mean().backward()
        seen = net[0].weight.grad.clone()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
    assert names() == {0: OF_NET}
    snapshot = taken()[0]["0.weight.grad"]
    assert snapshot.stats.norm == pytest.approx(seen.norm().item())
    if mode == "full":
        assert TensorFile(Path(".cirron"), snapshot.blob_uri).read("0.weight.grad").tolist() == seen.tolist()


def test_gradients_that_a_closure_computes_in_the_last_step_are_those_of_that_step(net):
    ci.profile()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    seen = []
    for x in loader(4):

        def closure(x=x):
            loss = net(x).square().mean()
            loss.backward()
            seen.append(net[0].weight.grad.norm().item())
            return loss

        optimizer.step(closure)
        optimizer.zero_grad()
    assert names() == {0: OF_NET}
    assert taken()[0]["0.weight.grad"].stats.norm == pytest.approx(seen[-1])


def test_gradients_that_are_still_there_are_those_at_the_end(net):
    ci.profile()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for x in loader():
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
        net[0].weight.grad.fill_(2)
    ci.shutdown()
    stats = taken()[0]["0.weight.grad"].stats
    assert (stats.min, stats.max) == (2, 2)


def test_without_a_known_last_step_cleared_gradients_are_not_shown(net):
    class Endless(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(torch.randn(4, 3))

    ci.profile()
    data = torch.utils.data.DataLoader(Endless(), batch_size=2)
    train(net, torch.optim.SGD(net.parameters(), lr=0.1), data, clears_after=True)
    assert names() == {0: ["0.bias", "0.weight", "2.weight"]}
