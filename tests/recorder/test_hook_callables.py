"""What the hooks put around other people's functions: a call in a scope, and the fetch of a batch in its step."""

import gc
import pickle
import traceback
import weakref
from functools import update_wrapper

import pytest

from cirron._recorder import Recorded, Steps, scope
from support.recorders import tree

NAMES = ("step", "forward")


def recorded(function, name="forward", **more):
    return Recorded(function, None, name, (name,), NAMES, **more)


class TestRecorded:
    def test_calls_pass_through_a_scope(self, session):
        assert recorded(divmod)(7, 2) == (3, 1)
        assert recorded(lambda *args, **kwargs: (args, kwargs))(1, b=2) == ((1,), {"b": 2})
        assert [span.name for span in session.spans("forward")] == ["forward", "forward"]

    def test_pickled_it_is_nothing_or_the_function_in_whose_place_it_is(self, monkeypatch):
        assert pickle.loads(pickle.dumps(recorded(divmod))) is None
        ours = update_wrapper(recorded(traceback.format_exc), traceback.format_exc)
        monkeypatch.setattr(traceback, "format_exc", ours)
        assert pickle.loads(pickle.dumps(ours)) is ours

    def test_a_call_within_a_call_has_no_scope_of_its_own(self, session):
        inner = recorded(lambda: 1)
        assert recorded(inner)() == 1
        assert session.picture() == tree("""
            cirron.session
              forward
        """)

    def test_an_exception_is_noted_and_its_traceback_shows_nothing_of_us(self, session):
        def fail():
            raise KeyError("mine")

        with pytest.raises(KeyError) as caught:
            recorded(fail)()
        assert [frame.name for frame in traceback.extract_tb(caught.tb)][1:] == ["fail"]
        assert session.span("forward").attrs == {"error": "KeyError"}

    def test_a_class_stands_for_the_call_that_comes_after_its_own(self, session):
        class Base:
            def __call__(self, x):
                return ("base", x)

        class Beside:
            def __call__(self, x):
                return ("beside", x)

        class Middle(Base):
            __call__ = None

        class Both(Middle, Beside):
            pass

        Middle.__call__ = recorded(Middle)
        assert Middle.__call__(Both(), 1) == ("base", 1)
        Base.__call__ = staticmethod(lambda x: ("static", x))
        assert Middle.__call__(Both(), 2) == ("static", 2)
        del Base.__call__
        assert Middle.__call__(Both(), 3) == ("beside", 3)
        with pytest.raises(TypeError, match="has no such __call__"):
            Middle.__call__(object())

    def test_there_is_no_scope_in_a_task(self, session):
        tasks = iter([-1, 0])
        call = recorded(lambda: None, task=lambda: next(tasks))
        call(), call()
        assert len(session.spans("forward")) == 1

    def test_whoever_asks_is_told_before_each_call(self, session):
        told = []
        call = recorded(lambda *_: told.append("called"))
        call.before = told.append
        call("first", "second"), call()
        call.before = None
        call("third")
        assert told == ["first", "called", None, "called", "called"]

    def test_without_a_session_it_is_the_function(self):
        assert recorded(divmod)(7, 2) == (3, 1)

    def test_records_with_what_is_found_at_each_call(self, session):
        found = [None, session.recorder]
        call = Recorded(divmod, lambda: found.pop(0), "forward", (), NAMES)
        assert [call(7, 2), call(7, 2)] == [(3, 1), (3, 1)]
        assert len(session.spans("forward")) == 1

    def test_looks_like_the_function_where_it_is_told_to(self):
        call = update_wrapper(recorded(gc.collect), gc.collect)
        assert (call.__name__, call.__wrapped__) == ("collect", gc.collect)

    def test_it_goes_with_a_class_that_holds_it(self, session):
        class Kind:
            pass

        Kind.__call__ = recorded(Kind)
        gone = weakref.ref(Kind)
        del Kind
        gc.collect()
        assert gone() is None


class Loop(Steps):
    """Tells how it ended."""

    def __init__(self, ends):
        super().__init__(None, "step", NAMES, "data_load", (), NAMES)
        self.ends = ends

    def end(self, error):
        self.ends.append(error)


class Unready(Loop):
    """Has no steps as long as it is over."""

    def __init__(self, ends):
        super().__init__(ends)
        self.is_over = True
        self.asked = 0
        self.errors = []

    def get_ready(self):
        self.asked += 1
        self.is_ready = not self.is_over
        return self.is_ready

    def has_none(self, error):
        self.errors.append(error)


class TestSteps:
    def test_each_begins_with_the_wait_for_its_batch(self, session):
        loop = Loop([])
        for batch in "ab":
            assert loop.fetch(str.upper, batch) == batch.upper()
            with scope("forward"):
                pass
        assert loop.count == 2
        del loop
        assert session.picture() == tree("""
            cirron.session
              step[0]
                data_load first=True
                forward
              step[1]
                data_load
                forward
        """)

    def test_a_wait_that_fails_stays_open_for_the_caller_to_judge(self, session):
        loop = Loop([])
        with pytest.raises(StopIteration):
            loop.fetch(next, iter(()))
        assert loop.load._cancel()
        assert loop.step._cancel()
        assert session.picture() == "cirron.session"

    def test_whoever_is_not_ready_is_asked_before_each_fetch_and_has_no_step_until_it_is(self, session):
        loop = Unready([])
        assert loop.fetch(str.upper, "a") == "A"
        loop.is_over = False
        assert loop.fetch(str.upper, "b") == "B"
        assert (loop.asked, loop.is_ready, loop.count) == (2, True, 1)

    def test_it_attends_to_the_step_that_it_has_named(self, session):
        class Attentive(Loop):
            def attend(self):
                told.append(self.count)
                self.attend_at = 5

        told, loop = [], Attentive([])
        loop.attend_at = 2
        for batch in "abcdef":
            loop.fetch(str.upper, batch)
        assert told == [2, 5]

    def test_it_is_told_of_the_exception_that_came_for_a_batch(self, session):
        loop = Unready([])
        loop.is_over = False
        with pytest.raises(ZeroDivisionError) as caught:
            loop.fetch(lambda _: 1 / 0, None)
        assert loop.errors == [caught.value]

    def test_it_ends_when_it_dies_and_is_told_of_the_exception_on_its_way(self, session):
        ends = []
        Loop(ends)
        with pytest.raises(ValueError, match="on purpose"):  # noqa: PT012 - the loop is what it is about
            for _ in Once(Loop(ends)):
                raise ValueError("on purpose")
        assert ends == [None, ValueError]


class Once:
    """An iterator that holds a loop, and is held by nobody but the `for` statement."""

    def __init__(self, loop):
        self.loop = loop

    def __iter__(self):
        return self

    def __next__(self):
        return 1
