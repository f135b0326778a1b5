"""What is measured of the scopes of training besides their time."""

import pytest

from cirron._recorder import batches, scope
from support.recorders import SMALLEST_RING, run_program, tree
from support.spool_pictures import batches_of

TRAINING = ["step", "forward", "backward", "optimizer_step"]


class Time:
    """A time on a device, which knows it once it is told."""

    def __init__(self, ns=None):
        self.ns = ns

    def ready(self):
        return self.ns is not None

    def get(self):
        return self.ns


def resolve(session):
    """As the writer's pass does."""
    for key, time in session.recorder.take_deferred():
        if time.ready():
            session.recorder.resolve(key, time.get())


class TestWithoutADevice:
    @pytest.mark.parametrize("name", TRAINING)
    def test_a_scope_of_training_has_the_most_memory_its_process_had(self, session, name):
        with scope(name):
            held = b"\1" * 20_000_000
        assert session.span(name).memory_peak_bytes > len(held)

    def test_so_has_a_batch_of_a_loop(self, session):
        assert list(batches(range(2))) == [0, 1]
        assert all(span.memory_peak_bytes > 0 for span in session.spans("batch"))

    def test_no_other_scope_has(self, session):
        with scope("epoch"), scope("data_load"), scope("mine"):
            pass
        assert [span.memory_peak_bytes for span in session.spans()] == [None] * 3

    def test_the_peak_of_a_killed_process_is_recovered(self, root):
        run_program(
            root,
            """
            start()
            with scope("forward", layers=3):
                pass
            import os
            os._exit(0)
            """,
        )
        (journal,) = (root / "journal").iterdir()
        from cirron._recorder import recover

        recover(str(journal), str(root / "spool"))
        spans = [span for batch in batches_of(root / "spool") for span in batch.spans]
        assert [(span.name, span.attrs) for span in spans if span.memory_peak_bytes] == [
            ("forward", {"layers": 3})
        ]


class TestWithAMeter:
    def test_a_scope_of_training_has_what_the_meter_measured(self, session):
        session.recorder.set_meter(lambda: lambda: (5, Time(7)))
        with scope("forward", layers=3):
            pass
        resolve(session)
        span = session.span("forward")
        assert (span.memory_peak_bytes, span.gpu_ns, span.attrs) == (5, 7, {"layers": 3})

    def test_what_the_meter_does_not_know_stays_open(self, session):
        session.recorder.set_meter(lambda: None)
        with scope("step"):
            session.recorder.set_meter(lambda: lambda: (None, None))
            with scope("forward"):
                pass
        assert [(span.memory_peak_bytes, span.gpu_ns) for span in session.spans()] == [(None, None)] * 2

    def test_it_is_asked_for_the_scopes_of_training_only(self, session):
        asked = []
        session.recorder.set_meter(lambda: asked.append(None))
        with scope("epoch"), scope("step"), scope("data_load"):
            list(batches([1]))
        assert len(asked) == 1

    def test_a_scope_that_fails_has_it_too(self, session):
        session.recorder.set_meter(lambda: lambda: (5, Time(7)))
        with pytest.raises(KeyError), scope("forward"):
            raise KeyError
        resolve(session)
        assert (session.span("forward").gpu_ns, session.span("forward").attrs) == (7, {"error": "KeyError"})

    def test_a_scope_that_is_cancelled_ends_its_reading(self, session):
        ended = []
        session.recorder.set_meter(lambda: lambda: ended.append(None) or (None, Time()))
        with scope("step") as step:
            assert step._cancel()
        assert len(ended) == 1
        assert session.recorder.take_deferred() == []

    def test_entered_again_each_has_a_reading_of_its_own(self, session):
        numbers = iter(range(10))

        def begin():
            number = next(numbers)
            return lambda: (number, None)

        session.recorder.set_meter(begin)
        twice = scope("step")
        with twice, twice:
            pass
        assert [span.memory_peak_bytes for span in session.spans("step")] == [1, 0]

    @pytest.mark.parametrize("meter", [lambda: 1 / 0, lambda: lambda: 1 / 0, lambda: lambda: "wrong"])
    def test_its_faults_are_counted_and_dropped(self, session, meter):
        session.recorder.set_meter(meter)
        with scope("step"):
            pass
        assert session.counter("internal_errors") == {"meter": 1}
        assert session.picture() == "cirron.session\n  step"

    def test_what_a_signal_handler_raises_in_it_goes_on_to_the_program(self, session):
        def interrupt():
            raise KeyboardInterrupt

        session.recorder.set_meter(lambda: interrupt)
        with pytest.raises(KeyboardInterrupt), scope("step"):
            pass
        session.recorder.set_meter(interrupt)
        with pytest.raises(KeyboardInterrupt):
            scope("forward").__enter__()
        assert session.picture() == tree("""
            cirron.session
              step
              forward error='KeyboardInterrupt'
        """)

    def test_one_that_ends_the_session_ends_it(self, session):
        session.recorder.set_meter(lambda: lambda: session.end() or (1, Time(1)))
        with scope("step"):
            pass
        assert session.picture() == "cirron.session\n  step (interrupted)"

    def test_a_meter_is_called(self, session):
        with pytest.raises(TypeError, match="expected a callable or None, not int"):
            session.recorder.set_meter(1)


class TestTimeOnADevice:
    def test_is_waited_for_by_the_span_and_all_that_comes_after_it(self, session):
        time = Time()
        session.recorder.set_meter(lambda: lambda: (None, time))
        with scope("first"), scope("step"):
            pass
        resolve(session)
        assert session.picture_so_far() == ""
        time.ns = 7
        resolve(session)
        session.recorder.drain()
        assert [span.gpu_ns for batch in batches_of(session.spool) for span in batch.spans] == [7, None]

    def test_that_never_comes_is_null_at_the_end_of_the_session(self, session):
        session.recorder.set_meter(lambda: lambda: (None, Time()))
        with scope("step"):
            pass
        assert session.span("step").gpu_ns is None

    def test_is_forgotten_with_a_span_that_the_ring_has_dropped(self, root, new_session):
        session = new_session(ring_marks=SMALLEST_RING)
        session.recorder.set_meter(lambda: lambda: (None, Time()))
        for _ in range(50_000):
            with scope("step"):
                pass
        dropped = session.counter("spans_dropped")
        assert dropped > 0
        assert len(session.recorder.take_deferred()) == 50_000 - dropped

    def test_of_a_killed_process_is_null(self, root):
        run_program(
            root,
            """
            class Time:
                def ready(self): return False
            recorder = start()
            recorder.set_meter(lambda: lambda: (5, Time()))
            with scope("forward", layers=3):
                pass
            import os
            os._exit(0)
            """,
        )
        (journal,) = (root / "journal").iterdir()
        from cirron._recorder import recover

        recover(str(journal), str(root / "spool"))
        spans = [span for batch in batches_of(root / "spool") for span in batch.spans]
        assert [(span.memory_peak_bytes, span.gpu_ns, span.attrs) for span in spans[:1]] == [
            (5, None, {"layers": 3})
        ]
