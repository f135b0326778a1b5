"""`epochs` and `batches`: one scope an item, from the wait for it until the next is asked for."""

import contextlib
import gc
import itertools
import sys
from types import ModuleType

import pytest
from torch.utils.data import DataLoader
from tqdm import tqdm

from cirron._recorder import batches, epochs, mark, scope
from support.recorders import in_thread, run_program, tree
from support.spool_pictures import draw


class TestItems:
    def test_pass_through_unchanged(self, session):
        items = [object(), None, 3]
        assert list(batches(items)) == items
        assert list(epochs(iter(items))) == items

    def test_are_counted_from_zero(self, session):
        for epoch in epochs(range(5, 7)):
            for batch in batches("ab"):
                mark("item", f"{epoch}{batch}")
        assert session.picture() == tree("""
            cirron.session
              epoch[0]
                batch[0] | item='5a'
                batch[1] | item='5b'
              epoch[1]
                batch[0] | item='6a'
                batch[1] | item='6b'
        """)

    def test_no_items_no_scopes(self, session):
        assert list(epochs([])) == []
        assert list(batches(iter(()))) == []
        assert session.picture() == "cirron.session"

    def test_the_last_fetch_which_gives_nothing_leaves_no_scope(self, session):
        for _ in batches(item for item in "ab"):
            pass
        mark("after", 1)
        assert session.picture() == "cirron.session | after=1\n  batch[0]\n  batch[1]"

    def test_a_batch_contains_what_its_fetch_recorded(self, session):
        def load():
            for number in range(2):
                with scope("load"):
                    mark("loaded", number)
                yield number

        for number in batches(load()):
            mark("used", number)
        assert session.picture() == tree("""
            cirron.session
              batch[0] | used=0
                load | loaded=0
              batch[1] | used=1
                load | loaded=1
        """)

    def test_a_last_fetch_that_recorded_something_is_a_batch_end(self, session):
        def load():
            yield 1
            with scope("clean up"):
                mark("left", 0)

        for _ in batches(load()):
            pass
        assert session.picture() == tree("""
            cirron.session
              batch[0]
              batch.end[1]
                clean up | left=0
        """)

    def test_a_mark_in_the_last_fetch_is_kept_too(self, session):
        def load():
            yield 1
            mark("left", 0)

        for _ in epochs(load()):
            pass
        assert session.picture() == "cirron.session\n  epoch[0]\n  epoch.end[1] | left=0"

    def test_batches_of_batches_nest(self, session):
        for _ in batches([1]):
            for _ in batches([1, 2]):
                pass
        assert session.picture() == tree("""
            cirron.session
              batch[0]
                batch[0]
                batch[1]
        """)


class TestLeavingEarly:
    def test_break_closes_the_scope(self, session):
        for _ in batches(itertools.count()):
            break
        mark("after", 1)
        assert session.picture() == "cirron.session | after=1\n  batch[0]"

    def test_break_from_the_inner_loop_leaves_the_outer_open(self, session):
        for _ in epochs(range(2)):
            for number in batches(range(10)):
                if number == 1:
                    break
            mark("in epoch", 1)
        assert session.picture() == tree("""
            cirron.session
              epoch[0] | in epoch=1
                batch[0]
                batch[1]
              epoch[1] | in epoch=1
                batch[0]
                batch[1]
        """)

    def test_an_exception_in_the_body_closes_the_scopes(self, session):
        with contextlib.suppress(ValueError):
            for _ in epochs(range(2)):
                for _ in batches(range(2)):
                    raise ValueError
        mark("after", 1)
        spans = [(span.name, span.index) for span in session.spans()]
        assert sorted(spans) == [("batch", 0), ("epoch", 0)]
        assert session.mark("after").span_id == session.recorder.session_id

    def test_an_exception_in_the_body_is_recorded(self, session):
        def train():
            for _ in epochs(range(2)):
                for _ in batches(range(2)):
                    raise ValueError

        with pytest.raises(ValueError):
            train()
        assert session.picture() == tree("""
            cirron.session
              epoch[0] error='ValueError'
                batch[0] error='ValueError'
        """)

    def test_an_exception_while_fetching_is_recorded(self, session):
        def load():
            yield 1
            raise OSError

        with contextlib.suppress(OSError):
            for _ in batches(load()):
                pass
        mark("after", 1)
        assert session.picture() == "cirron.session | after=1\n  batch[0]\n  batch[1] error='OSError'"

    def test_return_from_within_closes_the_scopes(self, session):
        def train():
            for _ in epochs(range(3)):
                for _ in batches(range(3)):
                    return

        train()
        mark("after", 1)
        assert session.picture() == "cirron.session | after=1\n  epoch[0]\n    batch[0]"

    @pytest.mark.parametrize("how", ["delegates", "loops"])
    def test_closing_a_generator_around_the_loop_closes_its_scope(self, session, how):
        def loader():
            if how == "delegates":
                yield from batches(range(3))
            for item in batches(range(3)):
                yield -item

        suspended = loader()
        next(suspended)
        suspended.close()
        mark("after", 1)
        assert session.picture() == "cirron.session | after=1\n  batch[0]"

    def test_an_iterator_that_is_dropped_closes_its_scope(self, session):
        iterator = iter(batches(range(3)))
        next(iterator)
        mark("inside", 1)
        del iterator
        mark("after", 1)
        assert session.picture() == "cirron.session | after=1\n  batch[0] | inside=1"

    def test_one_in_a_reference_cycle_is_closed_by_the_collector(self, session):
        iterator = iter(batches(range(3)))
        next(iterator)
        cycle = [iterator]
        cycle.append(cycle)
        del iterator, cycle
        gc.collect()
        mark("after", 1)
        assert session.picture() == "cirron.session | after=1\n  batch[0]"

    def test_closing_the_iterator_closes_the_scope_and_ends_it(self, session):
        iterator = iter(batches(range(3)))
        next(iterator)
        iterator.close()
        mark("after", 1)
        assert list(iterator) == []
        assert session.picture() == "cirron.session | after=1\n  batch[0]"


class TestEpochs:
    def test_are_siblings_even_when_one_is_left_open(self, session):
        first = iter(epochs(range(2)))
        next(first)
        second = iter(epochs(range(2)))
        next(second)
        next(second)
        second.close(), first.close()
        assert session.picture() == tree("""
            cirron.session
              epoch[0]
              epoch[0]
              epoch[1]
        """)

    def test_a_loop_of_epochs_within_an_epoch_does_not_nest(self, session):
        for _ in epochs(range(1)):
            with scope("evaluate"):
                for _ in epochs(range(2)):
                    mark("m", 1)
        assert session.picture() == tree("""
            cirron.session
              epoch[0]
                evaluate
              epoch[0] | m=1
              epoch[1] | m=1
        """)

    def test_stay_inside_of_the_scope_around_the_loop(self, session):
        with scope("fit"):
            for _ in epochs(range(2)):
                pass
        assert session.picture() == tree("""
            cirron.session
              fit
                epoch[0]
                epoch[1]
        """)


class TestTheLoopItself:
    def test_may_be_run_through_again(self, session):
        loop = batches([1, 2])
        assert (list(loop), list(loop)) == ([1, 2], [1, 2])
        assert [span.index for span in session.spans()] == [0, 1, 0, 1]

    def test_has_the_length_and_truth_of_what_it_wraps(self, session):
        assert (len(batches([1, 2])), bool(batches([1])), bool(batches([]))) == (2, True, False)
        assert bool(batches(iter(())))

    def test_has_no_length_where_what_it_wraps_has_none(self, session):
        with pytest.raises(TypeError):
            len(batches(iter(())))
        assert list(batches(item for item in "ab")) == ["a", "b"]

    def test_gives_every_attribute_of_what_it_wraps(self, session):
        class Loader(list):
            batch_size = 32

            def describe(self):
                return "a loader"

        loop = batches(Loader([1]))
        assert (loop.batch_size, loop.describe()) == (32, "a loader")
        with pytest.raises(AttributeError, match="nothing"):
            _ = loop.nothing

    def test_can_be_asked_for_its_next_item(self, session):
        loop = batches([1, 2])
        assert (next(loop), next(loop), next(loop, None)) == (1, 2, None)
        assert session.picture() == "cirron.session\n  batch[0]\n  batch[1]"

    def test_goes_on_where_next_left_off(self, session):
        loop = batches([1, 2, 3])
        next(loop)
        assert list(loop) == [2, 3]
        assert [span.index for span in session.spans()] == [0, 1, 2]

    def test_is_its_iterators_iterator(self, session):
        iterator = iter(batches([1]))
        assert iter(iterator) is iterator

    def test_names_what_it_wraps(self, session):
        assert "batch" in repr(batches([1]))
        assert "[1]" in repr(batches([1]))

    def test_an_iterator_stays_exhausted(self, session):
        iterator = iter(batches([1]))
        assert (list(iterator), list(iterator), next(iterator, "end")) == ([1], [], "end")

    def test_works_with_zip_and_enumerate(self, session):
        assert list(zip(batches([1, 2]), "ab", strict=True)) == [(1, "a"), (2, "b")]
        assert list(enumerate(batches([5]))) == [(0, 5)]

    def test_an_iterator_handed_to_another_thread_records_there(self, session):
        iterator = iter(batches(range(2)))
        next(iterator)

        def finish():
            with scope("other thread"):
                return list(iterator)

        assert in_thread(finish) == [1]
        assert session.picture() == tree("""
            cirron.session
              batch[0]
              other thread
                batch[1]
        """)


class TestDataLoadTime:
    @pytest.fixture
    def loader(self):
        return DataLoader(list(range(3)), batch_size=None)

    @pytest.mark.parametrize(
        "waits",
        [
            lambda loader: loader,
            iter,
            lambda loader: type("Own", (DataLoader,), {})(loader.dataset, batch_size=None),
            lambda loader: tqdm(loader, disable=True),
        ],
        ids=["a loader", "its iterator", "of a subclass", "behind a progress bar"],
    )
    def test_is_on_every_batch_of_a_torch_data_loader(self, session, loader, waits):
        for _ in batches(waits(loader)):
            pass
        assert [list(span.attrs) for span in session.spans()] == [["data_load_ns"]] * 3

    def test_lies_within_its_batch(self, session, loader):
        for _ in batches(loader):
            pass
        for span in session.spans():
            # A clock's segment ends within: allow it a microsecond.
            assert 0 <= span.attrs["data_load_ns"] <= span.end_ns - span.start_ns + 1000

    def test_is_on_no_other_loop(self, session, loader):
        list(batches([1]))
        list(epochs(loader))
        list(batches(tqdm([1], disable=True)))
        assert [span.attrs for span in session.spans()] == [{}] * 5

    def test_a_broken_module_in_its_place_does_no_harm(self, session, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch.utils.data", ModuleType("torch.utils.data"))
        assert list(batches([1])) == [1]
        monkeypatch.setitem(sys.modules, "torch.utils.data", None)
        assert list(batches([1])) == [1]


class TestHostileIterators:
    """In processes of their own: what goes wrong here would take the test run with it."""

    def run(self, root, body):
        result = run_program(root, body)
        assert (result.returncode, result.stderr) == (0, "")
        return draw(root / "spool")

    def test_a_generator_that_closes_its_own_loop(self, root):
        picture = self.run(
            root,
            """
            def load():
                mark("first", 1)
                try:
                    iterator.close()
                except ValueError as error:
                    assert "already executing" in str(error)
                yield 1
                yield 2
            recorder = start()
            iterator = iter(batches(load()))
            seen = list(iterator)
            assert seen in ([], [1], [1, 2]), seen
            recorder.close("completed")
            """,
        )
        assert picture.startswith("cirron.session")

    def test_a_generator_that_asks_its_own_loop_for_the_next_item(self, root):
        self.run(
            root,
            """
            def load():
                yield 1
                try:
                    next(iterator)
                except ValueError as error:
                    assert "already executing" in str(error)
                yield 2
            recorder = start()
            iterator = iter(batches(load()))
            assert next(iterator) == 1
            next(iterator, None)
            recorder.close("completed")
            """,
        )

    def test_two_threads_that_share_an_iterator(self, root):
        self.run(
            root,
            """
            import threading
            inside, go_on = threading.Event(), threading.Event()
            def load():
                yield 1
                inside.set()
                go_on.wait()
                yield 2
            recorder = start()
            iterator = iter(batches(load()))
            next(iterator)
            got = []
            thread = threading.Thread(target=lambda: got.append(next(iterator, "end")))
            thread.start()
            inside.wait()
            try:
                next(iterator)
            except ValueError as error:
                assert "already executing" in str(error)
            go_on.set()
            thread.join()
            assert got == [2], got
            recorder.close("completed")
            """,
        )

    def test_an_iterator_that_ends_the_session(self, root):
        picture = self.run(
            root,
            """
            def load():
                yield 1
                end()
                yield 2
            def end():
                global recorder
                set_default(None)
                recorder.close("completed")
                del recorder
            recorder = start()
            assert list(batches(load())) == [1, 2]
            """,
        )
        assert picture == "cirron.session\n  batch[0]\n  batch[1] (interrupted)"


def test_a_loop_too_deep_to_be_recorded_runs_all_the_same(session):
    with contextlib.ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(scope("s"))
        assert list(batches([1, 2])) == [1, 2]
        for _ in batches([1]):
            break
    assert session.counter("scopes_too_deep") == 4
    assert session.spans("batch") == []


def test_a_loop_that_began_before_recording_did_is_recorded_from_then_on(new_session):
    iterator = iter(batches(range(3)))
    next(iterator)
    session = new_session()
    next(iterator)
    next(iterator)
    iterator.close()
    assert session.picture() == "cirron.session\n  batch[1]\n  batch[2]"
