"""Scopes form a tree by nesting, and each closes by its own handle whatever the order."""

import contextlib
import copy
import gc
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cirron._recorder import mark, scope
from support.recorders import in_thread, run_program, tree
from support.spool_pictures import draw


class TestNesting:
    def test_a_scope_inside_another_is_its_child(self, session):
        with scope("train"):
            with scope("forward"):
                pass
            with scope("backward"), scope("grad"):
                pass
        with scope("evaluate"):
            pass
        assert session.picture() == tree("""
            cirron.session
              train
                forward
                backward
                  grad
              evaluate
        """)

    def test_an_index_stands_beside_the_name(self, session):
        with scope("step", 3), scope("micro", index=-1):
            pass
        assert session.picture() == tree("""
            cirron.session
              step[3]
                micro[-1]
        """)

    def test_without_an_index_it_is_null(self, session):
        with scope("step"), scope("other", None):
            pass
        assert [span.index for span in session.spans()] == [None, None]

    def test_the_with_statement_gives_the_scope(self, session):
        handle = scope("step")
        with handle as given:
            assert given is handle

    def test_a_scope_swallows_no_exception(self, session):
        assert scope("step").__exit__(None, None, None) is None

    def test_a_scope_may_be_used_again(self, session):
        again = scope("step", 1, phase="train")
        for _ in range(2):
            with again:
                pass
        assert session.picture() == tree("""
            cirron.session
              step[1] phase='train'
              step[1] phase='train'
        """)

    def test_a_scope_that_is_only_made_leaves_nothing(self, session):
        scope("step", 1, phase="train")
        assert session.picture() == "cirron.session"

    def test_depth_counts_the_scopes_open_here(self, session):
        with scope("a"), scope("b"):
            assert session.recorder.depth() == 2
            assert in_thread(session.recorder.depth) == 0
        assert session.recorder.depth() == 0


class TestPickling:
    @pytest.mark.parametrize("again", [copy.copy, lambda each: pickle.loads(pickle.dumps(each))])
    def test_a_scope_comes_out_as_another_of_the_same_kind(self, session, again):
        one = scope("s", index=3, kind="small", size=1.5)
        with one, again(one):
            pass
        first, second = session.spans("s")
        assert (
            (first.index, first.attrs) == (second.index, second.attrs) == (3, {"kind": "small", "size": 1.5})
        )


class TestMarks:
    def test_go_to_the_innermost_open_scope(self, session):
        with scope("outer"):
            mark("before", 1)
            with scope("inner"):
                mark("inside", 2)
            mark("after", 3)
        assert session.picture() == tree("""
            cirron.session
              outer | before=1 | after=3
                inner | inside=2
        """)

    def test_go_to_the_session_when_no_scope_is_open(self, session):
        mark("before", 1)
        with scope("step"):
            pass
        mark("after", 2)
        assert session.picture() == tree("""
            cirron.session | before=1 | after=2
              step
        """)

    def test_never_go_to_a_scope_that_has_closed(self, session):
        with scope("outer"):
            inner = scope("inner")
            inner.__enter__()
            inner.__exit__(None, None, None)
            mark("late", 1)
        assert session.picture() == tree("""
            cirron.session
              outer | late=1
                inner
        """)

    def test_are_listed_by_their_span_in_order(self, session):
        with scope("step"):
            for name in "abc":
                mark(name, 0)
        (batch,) = session.batches()
        ids = {mark.name: mark.id for mark in batch.marks}
        step = next(span for span in batch.spans if span.name == "step")
        assert [mark_id for mark_id in step.mark_ids if mark_id != ids.get("cirron.overhead_ns")] == [
            ids["a"],
            ids["b"],
            ids["c"],
        ]


class TestExceptions:
    def test_the_type_of_an_exception_that_leaves_is_recorded_all_the_way_up(self, session):
        with pytest.raises(KeyError), scope("outer"), scope("inner"):
            raise KeyError("x")
        assert session.picture() == tree("""
            cirron.session
              outer error='KeyError'
                inner error='KeyError'
        """)

    def test_one_that_stays_inside_is_not(self, session):
        with scope("outer"), contextlib.suppress(ValueError), scope("inner"):
            raise ValueError
        with scope("after"):
            pass
        assert session.picture() == tree("""
            cirron.session
              outer
                inner error='ValueError'
              after
        """)

    def test_a_class_is_named_without_its_module(self, session):
        class OwnError(Exception):
            pass

        with contextlib.suppress(OwnError), scope("step"):
            raise OwnError
        assert session.span("step").attrs == {"error": "OwnError"}

    def test_it_stands_beside_other_attributes(self, session):
        with contextlib.suppress(ValueError), scope("step", 2, phase="train"):
            raise ValueError
        assert session.picture() == "cirron.session\n  step[2] phase='train' error='ValueError'"

    def test_the_exceptions_name_replaces_an_attribute_that_is_called_error(self, session):
        with contextlib.suppress(ValueError), scope("step", error="mine"):
            raise ValueError
        assert session.span("step").attrs == {"error": "ValueError"}

    def test_it_is_cut_like_any_text(self, session):
        long_error = type("E" * 300, (Exception,), {})
        with contextlib.suppress(long_error), scope("step"):
            raise long_error
        assert session.span("step").attrs == {"error": "E" * 256}

    def test_an_attribute_error_survives_without_an_exception(self, session):
        with scope("step", error="mine"):
            pass
        assert session.span("step").attrs == {"error": "mine"}

    @pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt])
    def test_endings_of_the_program_close_scopes_too(self, session, ending):
        with pytest.raises(ending), scope("outer"), scope("inner"):
            raise ending
        with scope("after"):
            pass
        assert session.picture() == tree(f"""
            cirron.session
              outer error='{ending.__name__}'
                inner error='{ending.__name__}'
              after
        """)

    def test_sys_exit_leaves_no_scope_open(self, root):
        result = run_program(
            root,
            """
            import atexit
            recorder = start()
            atexit.register(recorder.close, "completed")
            with scope("outer"), scope("inner"):
                sys.exit(3)
            """,
        )
        assert (result.returncode, result.stderr) == (3, "")
        assert draw(root / "spool") == tree("""
            cirron.session
              outer error='SystemExit'
                inner error='SystemExit'
        """)


class TestDepth:
    def test_sixty_four_scopes_are_kept_and_deeper_ones_counted(self, session):
        with contextlib.ExitStack() as stack:
            for number in range(70):
                stack.enter_context(scope("s", number))
        assert [span.index for span in session.spans()] == list(range(63, -1, -1))
        assert session.counter("scopes_too_deep") == 6

    def test_what_a_dropped_scope_contained_belongs_to_the_deepest_kept_one(self, session):
        with contextlib.ExitStack() as stack:
            for number in range(66):
                stack.enter_context(scope("s", number))
            mark("loss", 1)
        deepest = session.spans()[0]
        assert (deepest.index, session.mark("loss").span_id) == (63, deepest.id)

    def test_once_there_is_room_scopes_are_kept_again(self, session):
        with contextlib.ExitStack() as stack:
            for number in range(63):
                stack.enter_context(scope("s", number))
            with scope("kept"):
                with scope("dropped"):
                    mark("m", 1)
                mark("m", 2)
            with scope("kept"):
                mark("m", 3)
        kept = session.spans("kept")
        assert [mark.span_id for mark in session.marks("m")] == [kept[0].id, kept[0].id, kept[1].id]
        assert session.spans("dropped") == []

    def test_each_thread_is_warned_once(self, session):
        def go_deep():
            for _ in range(2):
                with contextlib.ExitStack() as stack:
                    for _ in range(66):
                        stack.enter_context(scope("s"))

        go_deep()
        assert len(session.recorder.take_warnings()) == 1
        in_thread(go_deep)
        (warning,) = session.recorder.take_warnings()
        assert "64" in warning

    def test_a_handle_that_was_dropped_can_be_used_again_later(self, session):
        handle = scope("again")
        with contextlib.ExitStack() as stack:
            for _ in range(64):
                stack.enter_context(scope("s"))
            with handle:
                pass
        with handle:
            mark("m", 1)
        assert session.mark("m").span_id == session.span("again").id

    def test_a_handle_dropped_on_one_thread_and_kept_on_another_closes_where_it_is_left(self, session):
        handle = scope("shared")
        deep, left = threading.Event(), threading.Event()

        def too_deep():
            with contextlib.ExitStack() as stack:
                for _ in range(64):
                    stack.enter_context(scope("s"))
                with handle:
                    deep.set()
                    left.wait()

        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(too_deep)
            deep.wait()
            with handle:
                pass
            mark("after", 1)
            left.set()
            done.result()
        assert session.mark("after").span_id == session.recorder.session_id


class TestClosingByHandle:
    def test_leaving_out_of_order_closes_only_the_scope_that_is_left(self, session):
        outer, inner = scope("outer"), scope("inner")
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        mark("in inner", 1)
        inner.__exit__(None, None, None)
        mark("outside", 2)
        assert session.picture() == tree("""
            cirron.session | outside=2
              outer
                inner | in inner=1
        """)

    def test_leaving_twice_closes_nothing_more(self, session):
        with scope("outer"):
            inner = scope("inner")
            with inner:
                pass
            inner.__exit__(None, None, None)
            mark("still in outer", 1)
        assert session.picture() == tree("""
            cirron.session
              outer | still in outer=1
                inner
        """)

    def test_leaving_what_was_never_entered_closes_nothing(self, session):
        with scope("outer"):
            scope("other").__exit__(None, None, None)
            mark("still in outer", 1)
        assert session.picture() == "cirron.session\n  outer | still in outer=1"

    def test_generators_closed_out_of_order_close_their_own_scopes(self, session):
        def generate(name):
            with scope(name):
                yield
                mark(f"resumed {name}", 1)
                yield

        first, second = generate("first"), generate("second")
        next(first), next(second)
        next(first)
        first.close()
        next(second)
        second.close()
        mark("outside", 2)
        assert session.picture() == tree("""
            cirron.session | outside=2
              first
                second | resumed first=1 | resumed second=1
        """)

    def test_closing_a_suspended_generator_is_no_error(self, session):
        def generate():
            with scope("generator"):
                yield

        suspended = generate()
        next(suspended)
        suspended.close()
        assert session.picture() == "cirron.session\n  generator"

    def test_an_exception_thrown_into_a_generator_is_its_scopes_error(self, session):
        def generate():
            with scope("generator"):
                yield

        suspended = generate()
        next(suspended)
        with pytest.raises(OSError):
            suspended.throw(OSError())
        assert session.picture() == "cirron.session\n  generator error='OSError'"

    def test_a_generator_that_is_dropped_while_suspended_closes_its_scope(self, session):
        def generate():
            with scope("generator"):
                yield

        suspended = generate()
        next(suspended)
        del suspended
        mark("outside", 1)
        assert session.picture() == "cirron.session | outside=1\n  generator"

    def test_a_handle_entered_here_may_be_left_on_another_thread(self, session):
        handle = scope("handed over")
        handle.__enter__()

        def leave():
            with scope("other"):
                handle.__exit__(None, None, None)
                mark("in other", 1)

        in_thread(leave)
        mark("outside", 2)
        assert session.picture() == tree("""
            cirron.session | outside=2
              handed over
              other | in other=1
        """)

    def test_a_handle_left_on_another_thread_belongs_to_the_thread_that_opened_it(self, session):
        handle = scope("handed over")
        in_thread(handle.__enter__)
        handle.__exit__(None, None, None)
        assert session.span("handed over").thread_id != threading.get_ident()
        assert session.span("handed over").end_ns is not None

    def test_a_handle_entered_recursively_closes_one_level_at_a_time(self, session):
        handle = scope("again")

        def recurse(levels):
            with handle:
                mark("level", levels)
                if levels > 1:
                    recurse(levels - 1)
                mark("back", levels)

        recurse(3)
        assert session.picture() == tree("""
            cirron.session
              again | level=3 | back=3
                again | level=2 | back=2
                  again | level=1 | back=1
        """)

    def test_one_handle_on_many_threads_at_once_closes_each_threads_own_scope(self, session):
        handle = scope("shared")
        barrier = threading.Barrier(8)

        def work(number):
            with scope("thread", number):
                barrier.wait()
                with handle:
                    barrier.wait()
                    mark("inside", number)
                    barrier.wait()
                mark("outside", number)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        spans = {span.id: span for span in session.spans()}
        assert len(session.spans("shared")) == 8
        for number in range(8):
            (outside,) = (mark for mark in session.marks("outside") if mark.value == number)
            (inside,) = (mark for mark in session.marks("inside") if mark.value == number)
            assert spans[outside.span_id].index == number
            assert spans[inside.span_id].parent_id == outside.span_id

    def test_an_exit_stack_closes_in_reverse_order(self, session):
        with contextlib.ExitStack() as stack:
            for name in ("first", "second", "third"):
                stack.enter_context(scope(name))
        assert [span.name for span in session.spans()] == ["third", "second", "first"]

    def test_an_exit_stack_may_be_handed_on(self, session):
        with contextlib.ExitStack() as stack:
            stack.enter_context(scope("kept open"))
            kept = stack.pop_all()
        mark("inside", 1)
        kept.close()
        mark("outside", 2)
        assert session.picture() == "cirron.session | outside=2\n  kept open | inside=1"

    def test_an_abandoned_handle_closes_its_scope(self, session):
        def abandon():
            scope("abandoned").__enter__()

        with scope("outer"):
            abandon()
            gc.collect()
            mark("in outer", 1)
        assert session.picture() == tree("""
            cirron.session
              outer | in outer=1
                abandoned
        """)

    def test_an_abandoned_handle_is_no_error_while_an_exception_passes(self, session):
        def abandon_and_fail():
            abandoned = scope("abandoned")
            abandoned.__enter__()
            raise ValueError

        with contextlib.suppress(ValueError):
            abandon_and_fail()
        mark("outside", 1)
        assert session.picture() == "cirron.session | outside=1\n  abandoned"

    def test_a_scope_open_across_a_thread_that_ends_stays_with_its_handle(self, session):
        handle = scope("long")
        in_thread(handle.__enter__)
        for _ in range(3):
            in_thread(lambda: scope("short").__enter__().__exit__(None, None, None))
        handle.__exit__(None, None, None)
        assert sorted(span.name for span in session.spans()) == ["long", "short", "short", "short"]


def test_a_keyboard_interrupt_in_the_middle_of_anything_leaves_every_scope_closed(root):
    """The interrupts come from a thread, at whatever instruction the main thread happens to be."""
    result = run_program(
        root,
        """
        import _thread, threading
        recorder = start(ring_marks=1)
        stop = threading.Event()
        entered = 0
        def interrupt():
            for number in range(200):
                while entered == number:
                    stop.wait(0.0005)
                _thread.interrupt_main()
            while entered == 200:
                stop.wait(0.0005)
            stop.set()
        def work():
            global entered
            entered += 1
            while not stop.is_set():
                with scope("outer"):
                    with scope("inner", 1, a=1):
                        mark("m", 1)
        thread = threading.Thread(target=interrupt)
        thread.start()
        while entered <= 200:
            try:
                work()
            except KeyboardInterrupt:
                pass
        thread.join()
        assert recorder.depth() == 0, recorder.depth()
        recorder.close("completed")
        """,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "(interrupted)" not in draw(root / "spool")
