"""Telemetry events on their way into batches: through the journal, so that a kill loses none."""

import msgspec
import pytest

from cirron._recorder import add_memory, scope
from support.memory_events import event


def record(number=0, text=""):
    return msgspec.json.encode(event(timestamp_ns=number, context=text))


def numbers(session):
    return [each.timestamp_ns for batch in session.batches() for each in batch.memory]


def test_an_event_comes_in_the_next_batch_as_it_was_given(session):
    session.recorder.add_memory(record(7, "phase enter: train"))
    assert session.recorder.drain() == 1
    assert [each for batch in session.batches() for each in batch.memory] == [
        event(timestamp_ns=7, context="phase enter: train")
    ]


def test_events_keep_their_order_beside_scopes_and_marks(session):
    for number in range(100):
        with scope("step", number):
            add_memory(record(number))
    session.end()
    assert numbers(session) == list(range(100))
    assert sum(len(batch.spans) for batch in session.batches()) == 101


def test_a_batch_without_events_has_no_such_array(session):
    with scope("step"):
        pass
    session.end()
    assert all(b'"memory"' not in path.read_bytes() for path in session.spool.iterdir())


def test_an_event_that_is_too_long_is_counted(session):
    session.recorder.add_memory(record(1, "x" * 40_000))
    session.recorder.add_memory(record(2))
    session.end()
    assert numbers(session) == [2]
    assert (session.counter("memory_recorded"), session.counter("memory_dropped")) == (2, 1)
    assert session.batches()[-1].counters.memory_dropped == 1


def test_what_a_full_ring_drops_is_counted(new_session):
    session = new_session(ring_marks=1)
    for number in range(2000):
        session.recorder.add_memory(record(number, "x" * 500))
    session.end()
    kept = numbers(session)
    assert kept == list(range(2000 - len(kept), 2000))
    assert 0 < session.counter("memory_dropped") == 2000 - len(kept)


def test_nothing_happens_once_the_session_is_over(session):
    session.end()
    session.recorder.add_memory(record(1))
    add_memory(record(2))
    assert numbers(session) == []


@pytest.mark.parametrize("value", ["{}", None, {}])
def test_an_event_is_bytes(session, value):
    with pytest.raises(TypeError):
        session.recorder.add_memory(value)
