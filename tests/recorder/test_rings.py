"""A thread's ring is bounded: the oldest records go first, and each one that goes is counted."""

import threading

import pytest

from cirron._recorder import mark, scope
from support.recorders import SMALLEST_RING, in_thread


@pytest.fixture
def small(new_session):
    """A session whose rings hold as little as a ring can."""
    return new_session(ring_marks=SMALLEST_RING)


def test_the_newest_marks_survive(small):
    for number in range(50_000):
        mark("m", number)
    kept = [mark.value for mark in small.marks("m")]
    assert 0 < len(kept) < 50_000
    assert kept == list(range(50_000 - len(kept), 50_000))


def test_every_mark_is_found_or_counted(small):
    for number in range(50_000):
        mark("m", number)
    counters = small.recorder.counters()
    kept = len(small.marks("m"))
    assert counters["marks_dropped"] + kept == 50_000


def test_marks_recorded_are_those_found_and_those_dropped(small):
    for number in range(50_000):
        mark("m", number)
    small.recorder.drain()
    counters = small.recorder.counters()
    assert counters["marks_recorded"] == 50_000
    assert counters["marks_recorded"] == len(small.marks("m")) + counters["marks_dropped"]


def test_every_span_is_found_or_counted(small):
    for number in range(30_000):
        with scope("s", number, text="x" * (number % 50)):
            mark("m", number)
    counters = small.recorder.counters()
    assert counters["spans_dropped"] + len(small.spans("s")) == 30_000
    assert counters["marks_dropped"] + len(small.marks("m")) == 30_000


def test_records_of_every_size_go_round(small):
    sizes = [0, 1, 7, 8, 100, 255, 256]
    for number in range(20_000):
        mark("m", "x" * sizes[number % 7], number=number, text="y" * sizes[number % 5])
    kept = [mark.attrs["number"] for mark in small.marks("m")]
    assert kept == list(range(20_000 - len(kept), 20_000))
    assert small.counter("marks_dropped") + len(kept) == 20_000


def test_a_ring_holds_the_marks_it_was_asked_for(new_session):
    session = new_session(ring_marks=65_536)
    for number in range(65_536):
        mark("m", number)
    assert session.counter("marks_dropped") == 0
    assert len(session.marks("m")) == 65_536


def test_what_has_been_drained_is_not_dropped(small):
    for number in range(50_000):
        mark("m", number)
        if number % 1000 == 999:
            small.recorder.drain()
    assert small.counter("marks_dropped") == 0
    assert [mark.value for mark in small.marks("m")] == list(range(50_000))


def test_threads_in_a_row_do_not_crowd_each_other_out(new_session):
    session = new_session(ring_marks=4096)

    def record():
        for number in range(2000):
            mark("m", number)

    for _ in range(20):
        in_thread(record)
    assert session.counter("marks_dropped") == 0
    assert len(session.marks("m")) == 20 * 2000


def test_threads_are_counted_each_and_in_total(small):
    ready, done = threading.Event(), threading.Event()

    def work():
        for number in range(30_000):
            mark("thread", number)
        ready.set()
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    for number in range(20_000):
        mark("main", number)
    counters = small.recorder.counters()
    ident = thread.ident
    done.set()
    thread.join()
    dropped = {each["thread_id"]: each["marks_dropped"] for each in counters["threads"]}
    assert dropped[ident] == 30_000 - len(small.marks("thread"))
    assert dropped[threading.get_ident()] == 20_000 - len(small.marks("main"))
    assert counters["marks_dropped"] == sum(dropped.values())


def test_a_thread_that_inherits_a_place_does_not_inherit_its_losses(small):
    def lose():
        for number in range(30_000):
            mark("m", number)

    in_thread(lose)
    in_thread(mark, "m", 1)
    ready, done = threading.Event(), threading.Event()

    def work():
        mark("m", 1)
        ready.set()
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    counters = small.recorder.counters()
    ident = thread.ident
    done.set()
    thread.join()
    (newest,) = (each for each in counters["threads"] if each["thread_id"] == ident)
    assert newest["marks_dropped"] <= 2
    assert counters["marks_dropped"] > 0


def test_losses_are_in_the_counters_of_the_batch(small):
    for number in range(50_000):
        mark("m", number)
    dropped = small.counter("marks_dropped")
    assert small.batches()[-1].counters.marks_dropped == dropped


def test_losses_while_a_drain_is_running_are_exact(small):
    done = threading.Event()

    def drain():
        while not done.is_set():
            small.recorder.drain()

    drainer = threading.Thread(target=drain)
    drainer.start()
    for number in range(200_000):
        mark("m", number)
    done.set()
    drainer.join()
    kept = [mark.value for mark in small.marks("m")]
    assert len(kept) + small.counter("marks_dropped") == 200_000
    assert kept == sorted(set(kept))
    assert kept[-1] == 199_999


class TestNames:
    def test_more_names_than_the_table_holds_lose_nothing(self, session):
        for number in range(70_000):
            mark(f"mark {number}", number)
            if number % 10_000 == 0:
                session.recorder.drain()
        assert {mark.name: mark.value for mark in session.marks()} == {
            f"mark {number}": number for number in range(70_000)
        }

    def test_scopes_and_attributes_without_a_place_in_the_table_keep_their_text(self, session):
        for number in range(70_000):
            mark(f"filler {number}", 0)
            if number % 10_000 == 0:
                session.recorder.drain()
        with scope("late scope", 1, late_key="value"):
            mark("late mark", "text", other_key=2)
        with pytest.raises(ValueError), scope("failing scope", late_key=1):
            raise ValueError
        assert (session.span("late scope").index, session.span("late scope").attrs) == (
            1,
            {"late_key": "value"},
        )
        assert (session.mark("late mark").value, session.mark("late mark").attrs) == (
            "text",
            {"other_key": 2},
        )
        assert session.span("failing scope").attrs == {"late_key": 1, "error": "ValueError"}

    def test_an_open_scope_without_a_place_in_the_table_keeps_its_text(self, session):
        for number in range(70_000):
            mark(f"filler {number}", 0)
            if number % 10_000 == 0:
                session.recorder.drain()
        open_scope = scope("late scope", late_key="value")
        open_scope.__enter__()
        assert b'"late scope"' in session.recorder.open_spans()
        assert session.span("late scope").attrs == {"late_key": "value", "cirron.interrupted": True}

    def test_names_made_anew_are_the_same_name(self, session):
        for _ in range(3):
            mark(str(b"loss", "ascii"), 1)
        assert session.picture() == "cirron.session | loss=1 | loss=1 | loss=1"

    def test_names_whose_memory_is_used_again_are_not_mixed_up(self, session):
        for number in range(5_000):
            mark(f"name {number % 600}", number % 600)
        assert all(mark.name == f"name {mark.value}" for mark in session.marks())
