"""Times of spans and marks."""

import threading
import time
from itertools import pairwise

from cirron._recorder import batches, mark, scope

SLACK_NS = 1_000_000  # between two clocks that are read one after the other
LONG_NS = 11_000_000  # long enough for processor time to be given, however slow its clock


def busy(ns: int) -> None:
    """Use the processor for so long."""
    end_ns = time.thread_time_ns() + ns
    while time.thread_time_ns() < end_ns:
        pass


def test_spans_lie_within_the_wall_clock_of_the_program(session):
    before_ns = time.time_ns()
    with scope("s"):
        mark("m", 1)
    after_ns = time.time_ns()
    span = session.span("s")
    assert before_ns - SLACK_NS <= span.start_ns <= span.end_ns <= after_ns + SLACK_NS
    assert span.start_ns <= session.mark("m").ts_ns <= span.end_ns


def test_children_lie_inside_their_parents(session):
    def recurse(levels):
        with scope("s"):
            for _ in batches(range(2)):
                if levels:
                    recurse(levels - 1)

    for _ in range(20):
        recurse(4)
        session.recorder.drain()
    spans = {span.id: span for batch in session.batches() for span in batch.spans}
    for span in spans.values():
        parent = spans.get(span.parent_id)
        assert parent is None or parent.start_ns <= span.start_ns <= span.end_ns <= parent.end_ns


def test_siblings_follow_each_other(session):
    for number in range(1000):
        with scope("s", number):
            pass
        if number % 100 == 0:
            session.recorder.drain()
    spans = session.spans("s")
    assert all(one.end_ns <= next_one.start_ns for one, next_one in pairwise(spans))


def test_the_session_spans_everything(session):
    with scope("s"):
        mark("m", 1)
    root = session.batches()[-1].session_span
    span = session.span("s")
    assert root.start_ns <= span.start_ns <= span.end_ns <= root.end_ns


def test_the_clocks_anchor_is_in_every_batch(session):
    before_ns = time.monotonic_ns()
    mark("m", 1)
    session.recorder.drain()
    mark("m", 2)
    anchors = {(batch.clock.wall_ns, batch.clock.monotonic_ns) for batch in session.batches()}
    ((wall_ns, monotonic_ns),) = anchors
    assert monotonic_ns <= before_ns
    assert abs((time.time_ns() - wall_ns) - (time.monotonic_ns() - monotonic_ns)) < 1_000_000_000


class TestProcessorTime:
    def test_of_a_busy_scope_is_what_it_used(self, session):
        with scope("busy"):
            busy(LONG_NS)
        span = session.span("busy")
        # The reading at the start may be a millisecond old.
        assert LONG_NS <= span.cpu_ns <= span.end_ns - span.start_ns + 1_100_000

    def test_of_a_sleeping_scope_is_far_below_its_duration(self, session):
        with scope("sleeping"):
            threading.Event().wait(0.05)
        span = session.span("sleeping")
        assert span.end_ns - span.start_ns >= 50_000_000
        assert span.cpu_ns < 25_000_000

    def test_of_a_short_scope_is_not_measured(self, session):
        for _ in range(1000):
            with scope("short"):
                pass
        short = [span for span in session.spans("short") if span.end_ns - span.start_ns < 900_000]
        assert {span.cpu_ns for span in short} == {None}

    def test_of_a_long_one_among_short_ones_is_measured_as_well(self, session):
        for _ in range(1000):
            with scope("step"):
                pass
        with scope("step"):
            busy(60_000_000)
        *_, long = session.spans("step")
        assert 60_000_000 <= long.cpu_ns <= 1.1 * (long.end_ns - long.start_ns) + 1_000_000

    def test_of_a_scope_that_was_handed_to_another_thread_is_not_measured(self, session):
        handle = scope("crossing")
        handle.__enter__()
        busy(LONG_NS)
        thread = threading.Thread(target=handle.__exit__, args=(None, None, None))
        thread.start()
        thread.join()
        assert session.span("crossing").cpu_ns is None

    def test_counts_the_scopes_own_thread_only(self, session):
        with scope("waiting"):
            thread = threading.Thread(target=busy, args=(30_000_000,))
            thread.start()
            thread.join()
        assert session.span("waiting").cpu_ns < 20_000_000
