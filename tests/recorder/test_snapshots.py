"""Records of snapshots on their way into batches, and the ends of epochs, at which they are taken."""

import json
import resource
from contextlib import contextmanager

import pytest

from cirron._recorder import epochs, scope
from support.programs import run_program


def record(number=0, size=0):
    return json.dumps(
        dict(
            id=f"{number:032x}",
            span_id="root",
            tensor_name="w" * (size or 1),
            shape=[],
            dtype="float32",
            mode="stats",
            stats=None,
            blob_uri=None,
            ts_ns=1,
            attrs={},
        )
    ).encode()


@contextmanager
def full_disk(bytes_left):
    """Every write beyond so many bytes of a file fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def numbers(session):
    return [int(snapshot.id, 16) for batch in session.batches() for snapshot in batch.snapshots]


class TestRecords:
    def test_come_in_the_next_batch_in_their_order(self, session):
        session.recorder.add_snapshots([record(1), record(2)])
        session.recorder.add_snapshots([record(3)])
        assert session.recorder.drain() == 1
        assert session.recorder.drain() == 0
        assert numbers(session) == [1, 2, 3]

    def test_wake_the_writer(self, session):
        session.recorder.add_snapshots([record()])
        assert session.recorder.wait(60) is True

    def test_come_in_the_last_batch_at_the_latest(self, session):
        session.recorder.add_snapshots([record(1)])
        session.end()
        assert numbers(session) == [1]

    def test_are_dropped_once_the_session_is_over(self, session):
        session.end()
        session.recorder.add_snapshots([record(1)])
        assert numbers(session) == []

    def test_are_spread_over_batches_of_the_usual_size(self, new_session):
        session = new_session(batch_max_bytes=100_000)
        session.recorder.add_snapshots([record(number, size=10_000) for number in range(50)])
        session.end()
        assert max(path.stat().st_size for path in session.spool.iterdir()) < 120_000
        assert numbers(session) == list(range(50))

    def test_wait_for_a_disk_that_is_full(self, session):
        session.recorder.add_snapshots([record(1, size=10_000)])
        with full_disk(1000), pytest.raises(OSError):
            session.recorder.drain()
        session.recorder.add_snapshots([record(2)])
        assert session.recorder.drain() > 0
        assert numbers(session) == [1, 2]

    def test_beyond_16_mib_that_cannot_be_written_the_oldest_go_and_are_counted(self, session):
        session.recorder.add_snapshots([record(number, size=1 << 20) for number in range(20)])
        kept = numbers(session)
        assert session.counter("snapshots_dropped") == 20 - len(kept)
        assert kept == list(range(20 - len(kept), 20))

    @pytest.mark.parametrize("records", [5, None, ["text"], [record(), 5]])
    def test_are_bytes(self, session, records):
        with pytest.raises(TypeError):
            session.recorder.add_snapshots(records)


class TestHere:
    def test_is_the_innermost_scope_or_the_session(self, session):
        outside, _ = session.recorder.here()
        with scope("a"), scope("b"):
            inside, _ = session.recorder.here()
        assert outside == session.recorder.session_id
        assert inside == session.span("b").id

    def test_tells_the_time_as_records_do(self, session):
        with scope("a"):
            _, now_ns = session.recorder.here()
        span = session.span("a")
        assert span.start_ns <= now_ns <= span.end_ns

    def test_is_nowhere_once_the_session_is_over(self, session):
        session.end()
        assert session.recorder.here() is None


class TestEpochEnd:
    @pytest.fixture
    def ended(self, session):
        calls = []
        session.recorder.set_epoch_end(lambda *place: calls.append(place))
        return calls

    def test_is_called_within_each_epoch(self, session, ended):
        for _ in epochs(range(3)):
            pass
        spans = session.spans("epoch")
        assert [span_id for span_id, _ in ended] == [span.id for span in spans]
        assert all(
            span.start_ns <= ts_ns <= span.end_ns for span, (_, ts_ns) in zip(spans, ended, strict=True)
        )

    def test_is_called_when_the_loop_is_left_early(self, session, ended):
        for _ in epochs(range(3)):
            break
        assert [span_id for span_id, _ in ended] == [session.span("epoch").id]

    def test_is_called_when_the_iterator_is_closed(self, session, ended):
        iterator = iter(epochs(range(3)))
        next(iterator)
        iterator.close()
        assert len(ended) == 1

    def test_is_not_called_for_an_epoch_that_fails(self, session, ended):
        def fail():
            for _ in epochs(range(3)):
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert ended == []
        assert session.span("epoch").attrs["error"] == "RuntimeError"

    def test_costs_what_the_epoch_is_said_to_have_cost(self, session):
        session.recorder.set_epoch_end(lambda *place: sum(range(100_000)))
        for _ in epochs(range(1)):
            pass
        span = session.span("epoch")
        (overhead_ns,) = [mark.value for mark in session.marks("cirron.overhead_ns")]
        assert 0 < overhead_ns <= span.end_ns - span.start_ns
        assert overhead_ns > (span.end_ns - span.start_ns) / 2

    @pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
    def test_passes_on_what_a_signal_handler_raises(self, session, error):
        def interrupt(*place):
            raise error

        session.recorder.set_epoch_end(interrupt)
        with pytest.raises(error):
            list(epochs(range(2)))
        assert session.span("epoch").index == 0

    def test_may_end_the_session(self, session):
        session.recorder.set_epoch_end(lambda *place: session.end())
        assert list(epochs(range(3))) == [0, 1, 2]
        assert len(session.spans("epoch")) == 1

    def test_may_close_its_own_loop(self, session):
        loop = iter(epochs(range(3)))
        session.recorder.set_epoch_end(lambda *place: (session.recorder.set_epoch_end(None), loop.close()))
        assert list(loop) == [0]
        assert session.span("epoch").index == 0

    def test_may_be_taken_back(self, session, ended):
        session.recorder.set_epoch_end(None)
        list(epochs(range(2)))
        assert ended == []

    def test_may_be_nested(self, session, ended):
        for _ in epochs(range(1)):
            list(epochs(range(2)))
        assert len(ended) == 3

    def test_is_forgotten_with_the_session(self, session):
        calls = []
        session.recorder.set_epoch_end(calls.append)
        loop = iter(epochs(range(2)))
        next(loop)
        session.end()
        assert list(loop) == [1]
        assert calls == []

    def test_is_something_to_call(self, session):
        with pytest.raises(TypeError):
            session.recorder.set_epoch_end(5)

    def test_survives_a_loop_that_the_interpreter_takes_down(self):
        ended = run_program(
            "import cirron as ci\n"
            "profiler = ci.profile()\n"
            "profiler._recording.recorder.set_epoch_end(print)\n"
            "loop = iter(ci.epochs(range(3)))\n"
            "next(loop)\n"
        )
        assert (ended.code, ended.stderr) == (0, "")
