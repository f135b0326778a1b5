"""Each thread records on its own, and gives its place back when it ends."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cirron._recorder import mark, scope
from support.recorders import in_thread, tree


def test_a_threads_scopes_begin_under_the_session(session):
    def work():
        with scope("in thread"):
            mark("m", 1)

    with scope("main"):
        in_thread(work)
        mark("m", 2)
    assert session.picture() == tree("""
        cirron.session
          main | m=2
          in thread | m=1
    """)


def test_spans_name_their_thread_and_process(session):
    def work():
        with scope("in thread"):
            return threading.get_ident()

    thread_id = in_thread(work)
    with scope("main"):
        pass
    assert (session.span("in thread").thread_id, session.span("in thread").pid) == (thread_id, os.getpid())
    assert session.span("main").thread_id == threading.get_ident()


def test_fifty_threads_at_once_lose_and_mix_nothing(session):
    barrier = threading.Barrier(50)

    def work(number):
        barrier.wait()
        with scope("thread", number):
            for step in range(100):
                with scope("step", step):
                    mark("number", number)

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(work, range(50)))
    spans = {span.id: span for span in session.spans()}
    marks = session.marks("number")
    assert (len(spans), len(marks)) == (50 * 101, 5000)
    assert all(spans[spans[mark.span_id].parent_id].index == mark.value for mark in marks)


def test_draining_meanwhile_loses_and_doubles_nothing(session):
    done = threading.Event()

    def drain():
        while not done.is_set():
            session.recorder.drain()

    def work(number):
        for step in range(5_000):
            with scope("step", step):
                mark("m", number)

    drainer = threading.Thread(target=drain)
    drainer.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    done.set()
    drainer.join()
    assert (len(session.spans("step")), len(session.marks("m"))) == (20_000, 20_000)


def test_ten_thousand_short_threads_lose_nothing_and_leave_no_growth(session):
    def work(number):
        with scope("short", number):
            mark("number", number)

    def run(numbers):
        for number in numbers:
            thread = threading.Thread(target=work, args=(number,))
            thread.start()
            thread.join()

    run(range(100))
    bytes_before = journal_bytes(session)
    ring_bytes = 64 * 1024 * 64  # 64k marks of at least as many bytes
    run(range(100, 10_000))
    # A thread that has been joined may not have given its place back yet: a few are always under way.
    assert journal_bytes(session) <= bytes_before + 8 * ring_bytes
    assert sorted(span.index for span in session.spans("short")) == list(range(10_000))
    assert sorted(mark.value for mark in session.marks("number")) == list(range(10_000))


def journal_bytes(session) -> int:
    return Path(session.recorder.journal_path).stat().st_size


def test_counters_know_the_threads_that_are_at_work(session):
    mark("m", 1)
    ready, done = threading.Event(), threading.Event()

    def work():
        mark("m", 2)
        ready.set()
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    at_work = {counters["thread_id"] for counters in session.counter("threads")}
    ident = thread.ident
    done.set()
    thread.join()
    assert {threading.get_ident(), ident} <= at_work


def test_records_of_a_thread_that_has_ended_survive_the_next_one_in_its_place(session):
    for number in range(5):
        in_thread(mark, "m", number)
    # A drain in between may give a thread another ring than the one before had: then their order is open.
    assert sorted(mark.value for mark in session.marks("m")) == [0, 1, 2, 3, 4]


def test_a_thread_that_ends_after_the_session_does_no_harm(session):
    recorded, done = threading.Event(), threading.Event()

    def work():
        mark("m", 1)
        recorded.set()
        done.wait()
        mark("m", 2)

    thread = threading.Thread(target=work)
    thread.start()
    recorded.wait()
    session.end()
    done.set()
    thread.join()
    assert [mark.value for mark in session.marks("m")] == [1]


def test_threads_that_record_while_the_session_ends_do_no_harm(new_session):
    for _ in range(5):
        session = new_session(ring_marks=1)
        stop = threading.Event()

        def work(stop=stop):
            while not stop.is_set():
                with scope("s", 1, a="text"):
                    mark("m", 1)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        session.end()
        stop.set()
        for thread in threads:
            thread.join()
        assert session.recorder.closed
