"""What the hooks of frameworks ask of the core: which scope is open, one unless there is one, and second thoughts."""

import pytest

from cirron._recorder import epochs, innermost, mark, scope, scope_unless, set_default
from support.recorders import tree


class TestInnermost:
    def test_is_the_one_of_the_names_that_is_open_deepest(self, session):
        with scope("epoch"), scope("step"), scope("mine"):
            assert innermost(("epoch", "step", "forward")) == "step"

    def test_is_none_where_none_of_them_is_open(self, session):
        with scope("epoch"):
            pass
        assert innermost(("epoch",)) is None

    def test_is_none_without_a_session(self):
        assert innermost(("epoch",)) is None

    def test_tells_the_names_of_this_thread_only(self, session):
        from support.recorders import in_thread

        found = []
        with scope("epoch"):
            in_thread(lambda: found.append(innermost(("epoch",))))
        assert found == [None]

    @pytest.mark.parametrize("names", ["epoch", ("epoch", 1), None])
    def test_takes_a_tuple_of_names_only(self, session, names):
        with pytest.raises(TypeError, match="expected a tuple of names"):
            innermost(names)


class TestScopeUnless:
    def test_gives_a_scope_where_there_is_none(self, session):
        with scope("step"), scope_unless("forward", ("forward",), ("step", "forward"), 3):
            pass
        assert session.picture() == tree("""
            cirron.session
              step
                forward[3]
        """)

    def test_gives_none_within_such_a_scope_however_deep(self, session):
        with scope("forward"), scope("mine"):
            assert scope_unless("forward", ("forward",), ("step", "forward")) is None

    def test_gives_a_scope_where_another_of_the_names_lies_between(self, session):
        with scope("forward"), scope("step"):
            assert scope_unless("forward", ("forward",), ("step", "forward")) is not None

    def test_gives_none_without_a_session(self):
        assert scope_unless("forward", (), ()) is None

    def test_an_epoch_and_one_of_the_users_loop_are_siblings(self, session):
        with scope_unless("epoch", (), (), 0), scope("step"):
            assert list(epochs([1])) == [1]
        assert session.picture() == tree("""
            cirron.session
              epoch[0]
                step
              epoch[0]
        """)

    def test_it_ends_with_the_scope_around_it_though_nobody_leaves_it(self, session):
        for index in range(2):
            with scope("mine", index):
                step = scope_unless("step", (), ())
                step.__enter__()
                with scope("forward"):
                    pass
        assert session.picture() == tree("""
            cirron.session
              mine[0]
                step
                  forward
              mine[1]
                step
                  forward
        """)

    def test_it_ends_by_the_exception_that_ends_the_scope_around_it(self, session):
        with pytest.raises(ValueError, match="on purpose"), scope("mine"):  # noqa: PT012 - what it is about
            step = scope_unless("step", (), ())
            step.__enter__()
            mark("m", 1)
            raise ValueError("on purpose")
        assert session.picture() == tree("""
            cirron.session
              mine error='ValueError'
                step error='ValueError' | m=1
        """)

    def test_it_ends_with_the_item_of_a_loop_and_epochs_stay_siblings(self, session):
        for _ in epochs(range(2)):
            step = scope_unless("step", (), ())
            step.__enter__()
            mark("m", 1)
        assert session.picture() == tree("""
            cirron.session
              epoch[0]
                step | m=1
              epoch[1]
                step | m=1
        """)

    def test_nothing_that_is_done_with_it_after_that_has_an_effect(self, session):
        with scope("mine"):
            step = scope_unless("step", (), ())
            step.__enter__()
            mark("m", 1)
        assert step._place() is None
        step._rename("other")
        step._number(3)
        step._summarize("n", 1)
        step.__exit__(None, None, None)
        assert session.picture() == tree("""
            cirron.session
              mine
                step | m=1
        """)

    def test_it_has_never_been_if_the_scope_around_it_ends_and_nothing_was_recorded_in_it(self, session):
        with scope("mine"):
            epoch = scope_unless("epoch", (), (), 0)
            epoch.__enter__()
        assert epoch._cancel()
        assert session.picture() == tree("""
            cirron.session
              mine
        """)

    def test_a_scope_of_the_users_does_not_end_with_the_one_around_it(self, session):
        outer, inner = scope("outer"), scope("inner")
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        mark("m", 1)
        inner.__exit__(None, None, None)
        assert session.picture() == tree("""
            cirron.session
              outer
                inner | m=1
        """)


class TestCancel:
    def test_an_epoch_beside_which_another_has_begun_may_never_have_been(self, session):
        first = scope_unless("epoch", (), (), 0)
        first.__enter__()
        for _ in epochs([1]):
            assert first._cancel()
        assert session.picture() == tree("""
            cirron.session
              epoch[0]
        """)

    def test_the_scope_has_never_been(self, session):
        with scope("outer") as outer:
            inner = scope("inner")
            inner.__enter__()
            assert inner._cancel()
            inner.__exit__(None, None, None)
            assert outer._cancel()  # nothing was recorded in it either
        assert session.picture() == "cirron.session"

    def test_a_scope_in_which_something_was_recorded_stays(self, session):
        with scope("outer") as outer:
            mark("m", 1)
            assert not outer._cancel()
        assert session.picture() == tree("""
            cirron.session
              outer | m=1
        """)

    def test_what_was_recorded_before_still_counts(self, session):
        with scope("outer") as outer:
            mark("m", 1)
            with scope("inner") as inner:
                assert inner._cancel()
            assert not outer._cancel()

    def test_a_scope_within_one_that_was_left_before_it_takes_nothing_from_the_one_around_both(self, session):
        with scope("step") as outer:
            left = scope("left")
            left.__enter__()
            with scope("inner") as inner:
                left.__exit__(None, None, None)
                assert inner._cancel()
            assert not outer._cancel()
        assert session.picture() == tree("""
            cirron.session
              step
                left
        """)


def test_a_scope_that_is_open_can_get_another_name(session):
    with scope("step", 2) as step:
        step._rename("step.end")
    assert session.picture() == tree("""
        cirron.session
          step.end[2]
    """)


def test_a_scope_that_becomes_an_epoch_has_later_epochs_beside_it(session):
    with scope("evaluation") as loop, scope("step"):
        loop._rename("epoch")
        for _ in epochs([1]):
            pass
    assert session.picture() == tree("""
        cirron.session
          epoch
            step
          epoch[0]
    """)


def test_a_scope_that_is_open_may_get_another_index_or_none(session):
    with scope("epoch", 1) as epoch:
        epoch._number(None)
    with scope("evaluation") as evaluation:
        evaluation._number(7)
    assert session.picture() == tree("""
        cirron.session
          epoch
          evaluation[7]
    """)


def test_of_a_session_that_is_over_nothing_can_be_cancelled_or_renamed(session):
    with scope("step") as step:
        set_default(None)
        session.recorder.close("completed")
        step._rename("other")
        assert step._cancel()


def test_a_scope_whose_loop_dies_of_an_exception_has_its_error(session):
    class Batches:
        def __init__(self):
            self.scope = scope("held")

        def __iter__(self):
            return self

        def __next__(self):
            self.scope.__enter__()

    def loop():
        for _ in Batches():
            raise ValueError

    with pytest.raises(ValueError):
        loop()
    assert session.picture() == tree("""
        cirron.session
          held error='ValueError'
    """)


class TestMarkAt:
    def test_marks_a_scope_that_is_not_the_innermost(self, session):
        with scope("epoch") as epoch:
            span_id, _ = epoch._place()
            with scope("step"):
                session.recorder.mark_at(span_id, "norm", 0.5, 1)
                session.recorder.mark_at(span_id, "first", "weight", 0)
        assert session.picture() == tree("""
            cirron.session
              epoch | norm=0.5 summary | first='weight'
                step
        """)

    def test_a_scope_that_is_not_open_has_no_place(self, session):
        with scope("epoch") as epoch:
            pass
        assert (epoch._place(), scope("never")._place()) == (None, None)

    @pytest.mark.parametrize("span_id", ["", "root", "f" * 32, "0" * 31 + "x"])
    def test_takes_ids_of_its_session_only(self, session, span_id):
        with pytest.raises(ValueError, match="id of a scope of this session"):
            session.recorder.mark_at(span_id, "norm", 0.5, 1)
