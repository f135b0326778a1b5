"""What an epoch's snapshots come to: marks on the epoch, and the first number that is none."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.testing._internal.two_tensor import TwoTensor

import cirron as ci
from cirron.snapshots.movement import Movement
from cirron.snapshots.subjects import Subject, Subjects
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


@pytest.mark.parametrize(
    ("gradients", "norm", "nonfinite"),
    [
        ([[3e200], [4e200]], 5e200, None),
        ([[3e-200], [4e-200]], 5e-200, None),
        ([[1.7e308], [1.0]], 1.7e308, None),
        ([[1.7e308, 1.7e308], [1.0]], None, "inf"),
        ([[1.7e308], [1.7e308]], None, "inf"),
        ([[1.7e308, 1.7e308], [math.nan]], None, "nan"),
        ([[], [2.0]], 2.0, None),
    ],
)
def test_the_norm_of_large_and_small_gradients_is_as_exact_as_any(gradients, norm, nonfinite):
    model = nn.ParameterList(torch.zeros(len(each), dtype=torch.float64) for each in gradients)
    ci.profile()
    ci.watch(model)
    for _ in ci.epochs(range(1)):
        for parameter, each in zip(model, gradients, strict=True):
            parameter.grad = torch.tensor(each, dtype=torch.float64)
    ((_, mark),) = marks("grad_norm")
    assert mark.value == (None if norm is None else pytest.approx(norm, rel=1e-9, abs=0))
    assert mark.value_nonfinite == nonfinite


def test_without_gradients_there_is_no_norm(model):
    ci.profile()
    ci.watch(model)
    list(ci.epochs(range(1)))
    assert marks("grad_norm") == []


# ---- how far the weights come ----


def parameters(*tensors):
    """As those of one model, which has to live as long as anything is to be known of them."""
    model = nn.Module()
    return model, [Subject(str(place), str(place), each, model) for place, each in enumerate(tensors)]


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
    _model, there = parameters(large, small)
    movement = Movement()
    movement.begin(there)
    before = torch.cat([large.flatten(), small])
    large += torch.randn_like(large) * 0.01
    small += torch.randn_like(small) * 0.5
    after = torch.cat([large.flatten(), small])
    assert movement.ratio(there) == pytest.approx(float((after - before).norm() / before.norm()), rel=0.1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64])
def test_weights_of_any_kind_move(dtype):
    tensor = torch.ones(5000, dtype=dtype)
    _model, there = parameters(tensor, torch.ones(3, dtype=torch.int32))
    movement = Movement()
    movement.begin(there)
    tensor += 1
    assert movement.ratio(there) == 1


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_weights_whose_squares_are_no_numbers_move(scale):
    tensor = torch.full((3,), scale, dtype=torch.float64)
    _model, there = parameters(tensor)
    movement = Movement()
    movement.begin(there)
    tensor *= 1.5
    assert movement.ratio(there) == pytest.approx(0.5)


def test_a_parameter_of_an_odd_kind_does_not_keep_the_others_from_being_known(model):
    model.register_parameter("odd", nn.Parameter(TwoTensor(torch.ones(2), torch.ones(2))))
    ci.profile()
    ci.watch(model)
    for _ in ci.epochs(range(1)):
        with torch.no_grad():
            model.weight.mul_(1.5)
            model.bias.mul_(1.5)
    ((_, mark),) = marks("update_ratio")
    assert mark.value == pytest.approx(0.5)


def test_what_is_new_since_the_look_before_does_not_count():
    one, two = torch.ones(3), torch.ones(3)
    _model, there = parameters(one, two)
    movement = Movement()
    movement.begin(there[:1])
    one *= 2
    two *= 5
    assert movement.ratio(there) == 1
    two *= 2
    assert movement.ratio(there[1:]) == 1


def test_weights_that_are_no_numbers_any_more_have_come_no_number_far():
    tensor = torch.full((3,), torch.nan)
    _model, there = parameters(tensor)
    movement = Movement()
    movement.begin(there)
    assert math.isnan(movement.ratio(there))


def test_parameters_that_their_model_calls_alike_keep_their_names():
    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.of_twins = [nn.Parameter(torch.zeros(1)) for _ in range(3)]

        def named_parameters(self, **_):
            return [("twin", each) for each in self.of_twins]

    model, subjects = Twins(), Subjects()
    looks = [{each.name: each.tensor for each in subjects.of([model])} for _ in range(3)]
    assert [list(look) for look in looks] == [["twin", "twin#1", "twin#2"]] * 3
    assert all(look[name] is looks[0][name] for look in looks for name in look)


def test_weights_that_were_all_zero_have_no_ratio():
    zeros = torch.zeros(3)
    _model, there = parameters(zeros)
    movement = Movement()
    movement.begin(there)
    zeros += 1
    assert movement.ratio(there) is None


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


@pytest.mark.parametrize(
    "backward",
    [
        lambda loss: loss.reshape(1).backward(),
        lambda loss: torch.autograd.backward([loss]),
        lambda loss: torch.autograd.backward((torch.zeros((), requires_grad=True) * 1, loss)),
    ],
    ids=["one element", "a list", "the second of two"],
)
def test_a_loss_is_looked_at_however_it_gets_into_its_backward_pass(model, backward):
    ci.profile()
    backward((model(torch.ones(3)) * math.inf).sum().abs())
    found = [(span.name, mark.value, mark.attrs) for span, mark in marks("nonfinite")]
    assert found == [("backward", "loss", {"value": "inf"})]


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


def test_gradients_that_the_program_has_mended_are_what_they_are_when_the_epoch_ends(model):
    ci.profile()
    ci.watch(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in ci.epochs(range(1)):
        (model(torch.ones(3)) * math.nan).sum().backward()
        for each in model.parameters():
            each.grad.data.nan_to_num_(0.5)
        optimizer.step()
    ((_, mark),) = marks("grad_norm")
    assert mark.value == pytest.approx(math.sqrt(8 * 0.5**2))


def test_an_error_in_the_backward_pass_of_such_a_loss_is_the_programs(model):
    ci.profile()
    loss = (model(torch.ones(3)) * math.nan).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    ci.shutdown()
