"""What an epoch's snapshots come to: marks on the epoch, and the first number that is none."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

import cirron as ci
from cirron.snapshots.movement import Movement
from cirron.spool import read


def marks(name):
    """The marks of a name with the scope they are on."""
    ci.shutdown()
    batches = list(read(".cirron").batches())
    spans = {span.id: span for batch in batches for span in batch.spans}
    found = [mark for batch in batches for mark in batch.marks if mark.name == name]
    return [(spans[mark.span_id], mark) for mark in sorted(found, key=lambda mark: mark.ts_ns)]


def loader(batches=2):
    return torch.utils.data.DataLoader(torch.ones(batches, 3))


def train(model, optimizer, epochs=1, loss=torch.Tensor.sum):
    for _ in range(epochs):
        for x in loader():
            optimizer.zero_grad()
            loss(model(x)).backward()
            optimizer.step()


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


# ---- the norm of the gradients ----


def test_each_epoch_has_the_norm_of_all_gradients_as_clipping_would_compute_it(model):
    ci.profile()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), epochs=2)
    expected = nn.utils.clip_grad_norm_(model.parameters(), math.inf).item()
    found = marks("grad_norm")
    assert [(span.name, span.index, mark.kind) for span, mark in found] == [
        ("epoch", 0, "summary"),
        ("epoch", 1, "summary"),
    ]
    assert found[1][1].value == pytest.approx(expected)


def test_the_norm_of_gradients_that_are_not_finite_is_no_number(model):
    ci.profile()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), loss=lambda y: (y * math.inf).sum())
    ((_, mark),) = marks("grad_norm")
    assert (mark.value, mark.value_nonfinite) == (None, "nan")


def test_without_gradients_there_is_no_norm(model):
    ci.profile()
    ci.watch(model)
    list(ci.epochs(range(1)))
    assert marks("grad_norm") == []


# ---- how far the weights come ----


def test_each_epoch_says_how_far_its_weights_have_come(model):
    ci.profile()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    vectors = [nn.utils.parameters_to_vector(model.parameters()).detach()]
    for _ in range(3):
        train(model, optimizer)
        vectors.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    expected = [float((new - old).norm() / old.norm()) for old, new in pairwise(vectors)]
    found = marks("update_ratio")
    assert [mark.value for _, mark in found] == pytest.approx(expected)
    assert [span.index for span, _ in found] == [0, 1, 2]


def test_large_tensors_are_known_by_a_sample_that_counts_as_the_whole():
    torch.manual_seed(0)
    large, small = torch.randn(300, 400), torch.randn(50)
    movement = Movement()
    movement.begin([large, small])
    before = torch.cat([large.flatten(), small])
    large += torch.randn_like(large) * 0.01
    small += torch.randn_like(small) * 0.5
    after = torch.cat([large.flatten(), small])
    assert movement.ratio([large, small]) == pytest.approx(
        float((after - before).norm() / before.norm()), rel=0.1
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64])
def test_weights_of_any_kind_move(dtype):
    tensor = torch.ones(5000, dtype=dtype)
    movement = Movement()
    movement.begin([tensor, torch.ones(3, dtype=torch.int32)])
    tensor += 1
    assert movement.ratio([tensor]) == 1


def test_what_is_new_since_the_look_before_does_not_count():
    one, two = torch.ones(3), torch.ones(3)
    movement = Movement()
    movement.begin([one])
    one *= 2
    two *= 5
    assert movement.ratio([one, two]) == 1
    two *= 2
    assert movement.ratio([two]) == 1


def test_weights_that_were_all_zero_have_no_ratio():
    zeros = torch.zeros(3)
    movement = Movement()
    movement.begin([zeros])
    zeros += 1
    assert movement.ratio([zeros]) is None


# ---- the first number that is none ----


def test_a_loss_that_is_not_finite_is_marked_at_once_with_the_first_gradient_that_is_not(model):
    ci.profile()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number, x in enumerate(loader(3)):
        optimizer.zero_grad()
        loss = model(x).square().sum() * (math.nan if number == 1 else 1)
        loss.backward()
        optimizer.step()
    ci.shutdown()
    found = [(span.name, mark.value, mark.attrs) for span, mark in marks("nonfinite")]
    assert found == [
        ("backward", "loss", {"value": "nan"}),
        ("backward", "weight.grad", {}),
        ("epoch", "weight", {}),
    ]


def test_gradients_that_are_not_finite_are_marked_at_the_end_of_the_epoch_when_the_loss_is(model):
    ci.profile()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for x in loader(1):
        (model(x) - model(x).detach()).square().sqrt().sum().backward()
        optimizer.step()
    found = [(mark.value, mark.attrs) for _, mark in marks("nonfinite")]
    assert found[0] == ("weight.grad", {})


def test_a_training_in_which_all_is_well_has_no_such_mark(model):
    ci.profile()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), epochs=2)
    assert marks("nonfinite") == []


def test_an_error_in_the_backward_pass_of_such_a_loss_is_the_programs(model):
    ci.profile()
    loss = (model(torch.ones(3)) * math.nan).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    ci.shutdown()
