"""The function that is called as long as a loss is finite: what is read of a tensor here, and what is asked for."""

import math

import pytest
import torch

from cirron._recorder import WhileFinite

EXCHANGE = torch.Tensor.__dlpack_c_exchange_api__
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


class Function:
    """A function of a loss, and what it has met."""

    def __init__(self, exchange=EXCHANGE, is_finite=lambda _: True):
        self.asked = []
        self._is_finite = is_finite
        self._call = WhileFinite(lambda *_: "usual", lambda *_: "first", self._ask, torch.Tensor, exchange)

    def __call__(self, loss):
        return self._call(loss)

    def _ask(self, loss):
        self.asked.append(loss)
        return self._is_finite(loss)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_the_first_that_is_not_finite_goes_elsewhere(dtype, value):
    function, bad = Function(), torch.tensor(value, dtype=dtype)
    assert [function(torch.zeros((), dtype=dtype)), function(bad), function(bad)] == [
        "usual",
        "first",
        "usual",
    ]
    assert function.asked == []


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_largest_number_of_a_type_is_finite(dtype):
    function, limits = Function(), torch.finfo(dtype)
    for value in (limits.max, limits.min, limits.tiny, limits.smallest_normal / 2):
        assert function(torch.tensor(value, dtype=dtype)) == "usual"
    assert function.asked == []


def test_a_loss_is_read_where_it_lies_in_its_tensor():
    numbers = torch.tensor([1.0, math.inf, 2.0], requires_grad=True) * 1
    function = Function()
    assert [function(numbers[0]), function(numbers[2]), function(numbers[1])] == ["usual", "usual", "first"]


def test_one_number_may_have_dimensions():
    function = Function()
    assert [function(torch.ones(1)), function(torch.full((1, 1), math.nan))] == ["usual", "first"]
    assert function.asked == []


@pytest.mark.parametrize("shape", [(2,), (1, 2), (0,)])
def test_what_is_not_one_number_is_not_looked_at(shape):
    function = Function()
    assert function(torch.full(shape, math.nan)) == "usual"
    assert function.asked == []


@pytest.mark.parametrize(
    "loss",
    [3, None, torch.tensor(3), torch.nn.Parameter(torch.tensor(1.0))],
    ids=["int", "none", "whole", "sub"],
)
def test_what_cannot_be_read_here_is_asked_for(loss):
    function = Function(is_finite=lambda _: False)
    assert function(loss) == "first"
    assert len(function.asked) == 1


@pytest.mark.parametrize("exchange", [None, object()])
def test_without_functions_to_read_it_every_loss_is_asked_for(exchange):
    function = Function(exchange, lambda loss: math.isfinite(loss.item()))
    assert [function(torch.tensor(1.0)), function(torch.tensor(math.nan))] == ["usual", "first"]
    assert len(function.asked) == 2


def test_once_a_tensor_has_refused_to_be_read_all_are_asked_for():
    function = Function()
    refusing = torch.tensor(1.0, device="meta")
    assert [function(refusing), function(torch.tensor(1.0))] == ["usual", "usual"]
    assert len(function.asked) == 2


def test_what_the_question_raises_is_passed_on():
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Function(is_finite=interrupt)(None)


def test_without_a_positional_argument_there_is_nothing_to_look_at():
    call = WhileFinite(dict, dict, math.isfinite, torch.Tensor, EXCHANGE)
    assert call() == {}
    assert call(tensors=math.nan) == {"tensors": math.nan}
