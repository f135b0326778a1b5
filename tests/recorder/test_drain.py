"""From the rings to batches: what a drain writes, how it splits, and what happens when it cannot write."""

import resource
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from cirron._recorder import mark, recover, scope
from support.recorders import SMALLEST_RING, in_thread
from support.spool_pictures import batches_of, draw


class TestADrain:
    def test_writes_what_has_closed_and_what_was_marked(self, session):
        with scope("closed"):
            mark("m", 1)
        open_scope = scope("open")
        with open_scope:
            mark("m", 2)
            assert session.recorder.drain() == 1
            assert [span.name for batch in batches_of(session.spool) for span in batch.spans] == ["closed"]
        assert session.picture() == "cirron.session\n  closed | m=1\n  open | m=2"

    def test_writes_nothing_when_there_is_nothing(self, session):
        assert session.recorder.drain() == 0
        mark("m", 1)
        assert (session.recorder.drain(), session.recorder.drain()) == (1, 0)

    def test_leaves_a_name_that_sorts_by_age_and_no_temporary_file(self, session):
        for number in range(5):
            mark("m", number)
            session.recorder.drain()
        assert [path.suffix for path in session.spool.iterdir()] == [".json"] * 5
        assert [batch.marks[0].value for batch in batches_of(session.spool)] == [0, 1, 2, 3, 4]

    def test_takes_a_mark_of_a_scope_that_closes_later(self, session):
        with scope("long"):
            mark("m", 1)
            session.recorder.drain()
            mark("m", 2)
        early, late = session.batches()
        (span,) = (span for span in late.spans if span.name == "long")
        assert early.marks[0].span_id == span.id
        assert early.marks[0].id not in span.mark_ids

    def test_may_run_on_several_threads_at_once(self, session):
        def drain():
            for _ in range(50):
                session.recorder.drain()

        threads = [threading.Thread(target=drain) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(20_000):
            mark("m", number)
        for thread in threads:
            thread.join()
        assert [mark.value for mark in session.marks("m")] == list(range(20_000))

    def test_with_fsync_writes_the_same(self, new_session):
        session = new_session(fsync=True)
        with scope("s"):
            mark("m", 1)
        assert session.recorder.drain() == 1
        assert session.picture() == "cirron.session\n  s | m=1"


class TestWaiting:
    def test_ends_when_it_is_woken(self, session):
        session.recorder.wake()
        assert session.recorder.wait(60) is True

    def test_ends_when_time_runs_out(self, session):
        assert session.recorder.wait(0.001) is False
        assert session.recorder.wait(0) is False

    def test_ends_when_a_ring_fills_up(self, new_session):
        session = new_session(ring_marks=SMALLEST_RING)
        for number in range(10_000):
            mark("m", number)
        assert session.recorder.wait(60) is True

    def test_takes_numbers_only(self, session):
        with pytest.raises(TypeError):
            session.recorder.wait("soon")


class TestSplitting:
    def test_a_batch_ends_when_it_exceeds_the_size(self, new_session):
        session = new_session(batch_max_bytes=1_000_000)
        for number in range(40_000):
            mark("m", number)
        assert session.recorder.drain() > 1
        sizes = [path.stat().st_size for path in sorted(session.spool.iterdir())]
        # What is encoded in one go comes on top: 16k cells of 16 bytes, three for a mark, 250 bytes of JSON each.
        assert all(1_000_000 < size < 3_000_000 for size in sizes[:-1])
        assert [mark.value for mark in session.marks("m")] == list(range(40_000))

    def test_sixteen_megabytes_by_default(self, session):
        for number in range(60_000):
            mark("m", "x" * 200, number=number)
            if number == 30_000:
                session.recorder.drain()
        session.recorder.drain()
        assert all(path.stat().st_size < 20_000_000 for path in session.spool.iterdir())

    def test_a_scope_and_its_marks_may_lie_in_different_batches(self, new_session):
        session = new_session(batch_max_bytes=1000)
        with scope("s"):
            for number in range(20_000):
                mark("m", number)
        assert len(session.batches()) > 1
        span = session.span("s")
        assert all(mark.span_id == span.id for mark in session.marks("m"))


@contextmanager
def full_disk(bytes_left: int):
    """Every write beyond so many bytes of a file fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def put_a_file_in_place_of(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.touch()


class TestWhenItCannotWrite:
    def test_a_full_disk_raises_keeps_everything_and_later_succeeds(self, session):
        for number in range(1000):
            with scope("s", number):
                mark("m", number)
        with full_disk(bytes_left=5000):
            for _ in range(3):
                with pytest.raises(OSError, match="too large"):
                    session.recorder.drain()
        assert list(session.spool.iterdir()) == []
        assert session.counter("seal_failures") == 3
        mark("m", 1000)
        assert session.recorder.drain() > 0
        assert [mark.value for mark in session.marks("m")] == list(range(1001))
        assert len(session.spans("s")) == 1000

    def test_a_spool_that_has_vanished_is_made_again(self, session):
        mark("m", 1)
        shutil.rmtree(session.spool.parent)
        assert session.recorder.drain() == 1
        mark("m", 2)
        assert session.picture() == "cirron.session | m=1 | m=2"
        assert session.counter("seal_failures") == 0

    def test_a_spool_that_cannot_be_made_again_raises_and_later_succeeds(self, session):
        mark("m", 1)
        put_a_file_in_place_of(session.spool.parent)
        with pytest.raises(NotADirectoryError, match=str(session.spool)):
            session.recorder.drain()
        session.spool.parent.unlink()
        mark("m", 2)
        assert session.picture() == "cirron.session | m=1 | m=2"
        assert session.counter("seal_failures") == 1

    def test_recording_goes_on_and_what_no_longer_fits_is_counted(self, new_session):
        session = new_session(ring_marks=SMALLEST_RING)
        put_a_file_in_place_of(session.spool)
        for number in range(50_000):
            mark("m", number)
            if number % 1000 == 999:
                with pytest.raises(NotADirectoryError):
                    session.recorder.drain()
        session.spool.unlink()
        kept = [mark.value for mark in session.marks("m")]
        assert len(kept) + session.counter("marks_dropped") == 50_000
        assert kept == sorted(set(kept))
        assert kept[-1] == 49_999

    def test_a_failure_between_two_batches_of_one_drain_doubles_nothing(self, new_session):
        session = new_session(batch_max_bytes=100_000)
        for number in range(1000):
            mark("m", number)
        session.recorder.drain()
        for number in range(1000, 40_000):
            mark("m", number)
        with full_disk(bytes_left=1_000_000), pytest.raises(OSError, match="too large"):
            session.recorder.drain()
        assert [mark.value for mark in session.marks("m")] == list(range(40_000))

    def test_an_end_that_cannot_be_written_leaves_the_journal_for_a_recovery(self, session):
        with scope("closed"):
            pass
        with scope("open"):
            mark("m", 1)
            put_a_file_in_place_of(session.spool)
            with pytest.raises(NotADirectoryError):
                session.recorder.close("completed")
        session.spool.unlink()
        path = session.recorder.journal_path
        session.end()
        del session.recorder
        assert recover(path, str(session.spool)).spans == 1
        assert draw(session.spool) == "cirron.session\n  closed\n  open (interrupted) | m=1"
        (batch,) = batches_of(session.spool)
        assert batch.session_span.attrs == {"cirron.ended": "completed"}
        assert batch.counters.marks_dropped == 0
        session.recorder = type("Ended", (), {"close": lambda self, ended: None})()

    def test_an_end_that_cannot_be_written_without_a_journal_counts_what_is_lost(self, new_session):
        session = new_session(journal_dir=None)
        for number in range(5):
            mark("written", number)
        session.recorder.drain()
        put_a_file_in_place_of(session.spool)
        for number in range(20):
            with scope("s", number):
                mark("m", number)
        in_thread(mark, "of another thread", 1)
        with pytest.raises(NotADirectoryError):
            session.recorder.drain()
        for number in range(10):
            mark("after the drain", number)
        scope("open").__enter__()
        with pytest.raises(NotADirectoryError):
            session.recorder.close("completed")
        counters = session.recorder.counters()
        assert (counters["spans_recorded"], counters["spans_dropped"]) == (21, 21)
        assert (counters["marks_recorded"], counters["marks_dropped"]) == (36, 31)
        session.spool.unlink()

    def test_so_does_one_whose_journal_is_gone(self, session):
        mark("m", 1)
        put_a_file_in_place_of(session.spool)
        shutil.rmtree(session.journals)
        with pytest.raises(NotADirectoryError):
            session.recorder.close("completed")
        assert session.counter("marks_dropped") == 1
        session.spool.unlink()

    def test_no_temporary_file_stays_behind(self, session):
        for number in range(1000):
            mark("m", number)
        with full_disk(bytes_left=5000), pytest.raises(OSError):
            session.recorder.drain()
        assert list(session.spool.iterdir()) == []


class TestOverhead:
    def overhead(self, session):
        spans = {span.id: span.name for span in session.spans()}
        marks = session.marks("cirron.overhead_ns")
        return {spans[mark.span_id]: (mark.value, mark.kind, mark.value_type) for mark in marks}

    def test_every_closed_scope_carries_what_recording_cost_in_it(self, session):
        session.recorder.set_overhead(100, 7)
        with scope("outer"):
            mark("a", 1)
            with scope("inner"):
                mark("b", 1)
                mark("c", 1)
        assert self.overhead(session) == {
            "outer": (100 + 7 + 100 + 14, "summary", "int"),
            "inner": (100 + 14, "summary", "int"),
        }

    def test_it_lies_within_its_scope(self, session):
        session.recorder.set_overhead(100, 7)
        with scope("s"):
            pass
        span, found = session.span("s"), session.mark("cirron.overhead_ns")
        assert (found.ts_ns, found.span_id) == (span.end_ns, span.id)
        assert found.id in span.mark_ids

    def test_open_scopes_have_none(self, session):
        open_scope = scope("s")
        open_scope.__enter__()
        assert session.marks("cirron.overhead_ns") == []
