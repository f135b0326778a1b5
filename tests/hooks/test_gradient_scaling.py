"""Gradients of a program with a `GradScaler` are shown as the optimizer takes them, whenever they are looked at."""

import pytest
import torch
from torch import nn

import cirron as ci
from cirron.spool import read

SCALE = 1024.0


def taken():
    """The gradient at the end of each epoch."""
    ci.shutdown()
    snapshots = [each for batch in read(".cirron").batches() for each in batch.snapshots]
    return [each for each in snapshots if each.tensor_name.endswith(".grad")]


class Weight(nn.Module):
    """One number, whose gradient is three."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return (self.weight * 3 * x).sum()


def loader(batches=2):
    return torch.utils.data.DataLoader(torch.ones(batches))


@pytest.fixture
def scaler():
    return torch.amp.GradScaler("cpu", init_scale=SCALE)


def norms():
    return [(each.stats.norm, each.attrs.get("unscaled")) for each in taken()]


def test_gradients_that_the_scaler_has_unscaled_are_shown_as_they_are(scaler):
    model = Weight()
    ci.profile()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for x in loader():
        optimizer.zero_grad()
        scaler.scale(model(x)).backward()
        scaler.step(optimizer)
        scaler.update()
    assert norms() == [(3.0, None)]


def test_gradients_that_wait_for_their_optimizer_are_divided_by_the_scale(scaler):
    model = Weight()
    ci.profile()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for number, x in enumerate(loader(3)):
        scaler.scale(model(x)).backward()
        if number == 1:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    assert norms() == [(3.0, SCALE)]


def test_gradients_that_the_user_has_unscaled_are_shown_as_they_are(scaler):
    model = Weight()
    ci.profile()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for x in loader():
        optimizer.zero_grad()
        scaler.scale(model(x)).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        scaler.step(optimizer)
        scaler.update()
    assert norms() == [(pytest.approx(2.0), None)]


def test_gradients_that_a_fused_optimizer_leaves_scaled_are_divided(scaler):
    model = Weight()
    ci.profile()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0, fused=True)
    for new_scale, x in zip((512.0, 8.0), loader(), strict=True):
        optimizer.zero_grad()
        scaler.scale(model(x)).backward()
        scaler.step(optimizer)
        scaler.update(new_scale)  # which says nothing of the gradients that are there
    assert norms() == [(3.0, 512.0)]


def test_a_fused_optimizer_whose_gradients_are_cleared_shows_those_of_its_last_step(scaler):
    model = Weight()
    ci.profile()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0, fused=True)
    for x in loader():
        scaler.scale(model(x)).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert norms() == [(3.0, SCALE)]


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad])
def test_gradients_after_the_step_of_a_fused_optimizer_are_what_it_has_made_of_them(scaler, kind):
    model = Weight()
    ci.profile()
    ci.watch(model)
    optimizer = kind(model.parameters(), lr=0.0, fused=True)
    for _ in ci.epochs(range(2)):  # so that nobody knows which step is the last
        optimizer.zero_grad()
        scaler.scale(model(torch.ones(1))).backward()
        scaler.step(optimizer)
        scaler.update()
    assert norms() == [(3.0, None)] * 2


def test_gradients_of_a_step_that_a_fused_optimizer_has_left_out_are_still_scaled(scaler):
    model = nn.ParameterList([torch.ones(1), torch.ones(1)])
    ci.profile()
    ci.watch(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0, fused=True)
    for _ in ci.epochs(range(1)):
        scaler.scale(model[0] * 3 + model[1] * torch.inf).backward()
        scaler.step(optimizer)
        scaler.update()
    assert [each.stats.norm for each in taken()] == [3.0, None]


def test_a_scaler_that_is_switched_off_changes_nothing():
    model, scaler = Weight(), torch.amp.GradScaler("cpu", enabled=False)
    ci.profile()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for x in loader():
        optimizer.zero_grad()
        scaler.scale(model(x)).backward()
        scaler.step(optimizer)
        scaler.update()
    assert norms() == [(3.0, None)]


def test_the_scaler_is_as_it_was_after_the_session():
    before = dict(vars(torch.amp.GradScaler))
    ci.profile()
    assert vars(torch.amp.GradScaler)["step"] is not before["step"]
    ci.shutdown()
    assert dict(vars(torch.amp.GradScaler)) == before
