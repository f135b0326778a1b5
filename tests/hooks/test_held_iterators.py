"""Loops over loaders that end before their iterator does: what follows them is no part of their last step."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import cirron as ci
from support.spool_pictures import draw

STEP_1 = [f"  {line}" for line in ("step[1]", "  data_load", "  forward", "  backward")]
EVALUATION = ["evaluation", "  step[0]", "    data_load first=True", "    forward"]


class Program:
    """What the loops below have in common."""

    def __init__(self):
        self.model = nn.Linear(1, 1)
        self.loader = DataLoader(torch.ones(2, 1))
        self.held = []

    def batches(self):
        self.held.append(enumerate(self.loader))
        return self.held[-1]

    def train(self):
        self.model(torch.ones(1, 1)).sum().backward()

    def evaluate(self):
        with torch.no_grad():
            for x in DataLoader(torch.ones(1, 1)):
                self.model(x)


@pytest.fixture
def program():
    ci.profile()
    yield Program()
    ci.shutdown()


def picture():
    """The tree below the session."""
    ci.shutdown()
    return [line.removeprefix("  ") for line in draw(Path(".cirron/spool")).splitlines()[1:]]


def epoch(number, inside=()):
    lines = ["data_load first=True", "forward", "backward", *inside]
    return [f"epoch[{number}]", "  step[0]", *(f"    {line}" for line in lines)]


FUNCTION = """
def run(program):
    for _ in program.batches():
        program.train()
        {long}
        if program:
            break
    program.evaluate()
    return program
"""


@pytest.mark.parametrize("statements", [1, 100, 10_000], ids="{} statements".format)
def test_a_loop_has_been_left_for_what_follows_it_however_long_it_is(program, statements):
    namespace = {}
    exec(FUNCTION.format(long="id(program); " * statements), namespace)
    namespace["run"](program)
    assert picture() == [*epoch(0), *EVALUATION]


def test_a_loop_goes_on_around_what_is_in_it(program):
    for _ in program.batches():
        program.train()
        with ci.scope("validation"):
            program.evaluate()
        break
    inside = ["validation", *(f"  {line}" for line in EVALUATION)]
    assert picture() == epoch(0, inside)


def test_the_next_loop_of_the_same_statement_is_an_epoch_of_its_own(program):
    for _ in range(2):
        for _ in program.batches():
            program.train()
            break
    assert picture() == [*epoch(0), *epoch(1)]


def test_a_function_has_left_its_loop_when_it_returns_and_when_it_is_called_again(program):
    def run():
        for _ in program.batches():
            program.train()
            return

    run()
    run()
    program.evaluate()
    assert picture() == [*epoch(0), *epoch(1), *EVALUATION]


def test_a_coroutine_that_waits_has_not_left_its_loop(program):
    async def run():
        for _ in program.batches():
            program.train()
            await Turn()

    coroutine = run()
    coroutine.send(None)
    program.evaluate()
    coroutine.send(None)
    coroutine.close()
    assert picture() == [*epoch(0, EVALUATION), *STEP_1]


class Turn:
    """Gives others a turn."""

    def __await__(self):
        yield


def test_a_loop_that_goes_on_after_all_is_the_same_epoch(program):
    batches = program.batches()
    for _ in batches:
        program.train()
        break
    program.evaluate()
    for _ in batches:
        program.evaluate()
    again = ["epoch[0]", "  step[1]", "    data_load", *(f"    {line}" for line in EVALUATION)]
    assert picture() == [*epoch(0), *EVALUATION, *again]
