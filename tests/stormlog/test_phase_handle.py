"""`PhaseHandle`: closed once, at the end of a `with`, and never in the way of another exception."""

import logging

import pytest

from stormlog.phases.runtime import PhaseHandle, PhaseProtocolError


class Closing:
    """A callback that counts its calls, and raises as long as it is told to."""

    def __init__(self, error=None):
        self.calls = 0
        self.error = error

    def __call__(self):
        self.calls += 1
        if self.error:
            raise self.error
        return "boundary"


def handle(closing):
    return PhaseHandle(scope_id="s:1", name="b", path=("a", "b"), close_callback=closing)


def test_a_handle_tells_its_phase():
    phase = handle(Closing())
    assert (phase.scope_id, phase.name, phase.path, phase.phase_path) == ("s:1", "b", ("a", "b"), "a / b")
    assert repr(phase) == "<PhaseHandle 'a / b' s:1 open>"


def test_the_second_close_does_nothing():
    closing = Closing()
    phase = handle(closing)
    assert not phase.closed
    assert phase.close() == "boundary"
    assert phase.closed
    assert phase.close() is None
    assert closing.calls == 1


def test_a_refused_close_may_be_tried_again():
    closing = Closing(PhaseProtocolError("not yet"))
    phase = handle(closing)
    with pytest.raises(PhaseProtocolError):
        phase.close()
    assert not phase.closed
    closing.error = None
    assert phase.close() == "boundary"


def test_a_block_closes_at_its_end():
    closing = Closing()
    with handle(closing) as phase:
        assert not phase.closed
    assert phase.closed


def test_a_block_whose_phase_cannot_be_closed_says_so():
    with pytest.raises(PhaseProtocolError, match="not yet"), handle(Closing(PhaseProtocolError("not yet"))):
        pass


def test_an_exception_of_the_block_is_not_masked(caplog):
    with (
        caplog.at_level(logging.WARNING, "stormlog"),
        pytest.raises(KeyError) as raised,
        handle(Closing(PhaseProtocolError("not yet"))),
    ):
        raise KeyError("the user's")
    assert raised.value.__context__ is None
    assert caplog.messages == ["phase 'a / b' stays open: not yet"]
