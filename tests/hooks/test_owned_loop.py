"""The scopes that the hooks of a framework open when the framework tells where they begin and end."""

from pathlib import Path

import pytest

import cirron as ci
from cirron.hooks.names import PREDICTION
from cirron.hooks.owned_loop import OwnedLoop
from support.spool_pictures import draw


@pytest.fixture
def loop():
    profiler = ci.profile(frameworks=[])
    yield OwnedLoop(profiler._owner._target())
    ci.shutdown()


def drawn():
    ci.shutdown()
    return draw(Path(".cirron/spool"))


def test_a_step_begins_with_the_wait_for_its_batch(loop):
    loop.begin_epoch(3)
    loop.next_step(0)
    with ci.scope("data_load"):
        pass
    loop.next_step(1)
    loop.end()
    assert drawn() == "cirron.session\n  epoch[3]\n    step[0]\n      data_load"


def test_what_was_recorded_after_the_last_batch_is_kept_apart(loop):
    loop.begin_epoch(0)
    loop.next_step(0)
    loop.next_step(1)
    with ci.scope("data_load"):
        pass
    loop.end()
    assert drawn() == "cirron.session\n  epoch[0]\n    step[0]\n    step.end[1]\n      data_load"


def test_an_epoch_of_the_users_has_the_steps(loop):
    for _ in ci.epochs(range(1)):
        loop.begin_epoch(7)
        loop.next_step(0)
        loop.next_step(1)
        loop.end()
    assert drawn() == "cirron.session\n  epoch[0]\n    step[0]"


def test_an_epoch_within_one_of_a_frameworks_stands_beside_it(loop):
    inner = OwnedLoop(loop._target)
    loop.begin_epoch(0)
    loop.next_step(0)
    inner.begin_epoch(5)
    inner.next_step(0)
    inner.next_step(1)
    inner.end()
    loop.end_step()
    inner.begin_epoch(6)
    inner.end()
    loop.end()
    loop.begin_epoch(1)
    loop.end()
    epochs = [*("  epoch[0]", "    step[0]"), *("  epoch[5]", "    step[0]"), "  epoch[6]", "  epoch[1]"]
    assert drawn() == "\n".join(["cirron.session", *epochs])


def test_an_epoch_that_a_session_left_open_is_none_for_the_next(loop):
    loop.begin_epoch(0)
    ci.shutdown()
    profiler = ci.profile(frameworks=[], path="second")
    inner = OwnedLoop(profiler._owner._target())
    for _ in ci.epochs(range(1)):
        inner.begin_epoch(7)
        inner.end()
    ci.shutdown()
    assert draw(Path("second/spool")) == "cirron.session\n  epoch[0]"


def test_an_evaluation_is_no_epoch_and_may_be_in_one(loop):
    inner = OwnedLoop(loop._target)
    loop.begin_epoch(0)
    for begin in (inner.begin_evaluation, lambda: inner.begin_evaluation(PREDICTION)):
        begin()
        inner.next_step(0)
        inner.next_step(1)
        inner.end()
    loop.end()
    assert drawn() == (
        "cirron.session\n  epoch[0]\n    evaluation\n      step[0]\n    prediction\n      step[0]"
    )


def test_an_exception_ends_all_that_is_open(loop):
    loop.begin_epoch(0)
    loop.next_step(0)
    loop.fail(ValueError("bad"))
    assert drawn() == "cirron.session\n  epoch[0] error='ValueError'\n    step[0] error='ValueError'"
