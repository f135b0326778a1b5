"""The life of a recorder: what it gives out, its end, others beside it, and forks."""

import json
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from cirron._recorder import Recorder, batches, epochs, mark, recover, scope, set_default
from support.recorders import BATCH_FIELDS, Session, in_thread, run_program, tree
from support.spool_pictures import batches_of, draw


class TestTheEnd:
    def test_writes_the_sessions_span_with_how_it_ended(self, session):
        session.end("completed")
        (batch,) = session.batches()
        root = batch.session_span
        assert (root.id, root.name, root.parent_id) == (session.recorder.session_id, "cirron.session", None)
        assert root.attrs == {"cirron.ended": "completed"}
        assert root.end_ns is not None

    @pytest.mark.parametrize("ended", ["signal 15", 'quoted "word"', "日本", "back\\slash"])
    def test_says_any_word(self, session, ended):
        session.end(ended)
        assert session.batches()[-1].session_span.attrs == {"cirron.ended": ended}

    def test_scopes_still_open_have_no_end(self, session):
        with scope("outer", 1, a=1), scope("inner"):
            mark("m", 1)
            session.end()
        assert session.picture() == tree("""
            cirron.session
              outer[1] a=1 (interrupted)
                inner (interrupted) | m=1
        """)

    def test_scopes_open_on_other_threads_and_contexts_have_no_end_either(self, session):
        opened, done = threading.Event(), threading.Event()

        def work():
            with scope("thread"):
                opened.set()
                done.wait()

        thread = threading.Thread(target=work)
        thread.start()
        opened.wait()
        session.end()
        done.set()
        thread.join()
        assert session.picture() == "cirron.session\n  thread (interrupted)"

    def test_removes_the_journal(self, session):
        assert [str(path) for path in session.journals.iterdir()] == [session.recorder.journal_path]
        session.end()
        assert list(session.journals.iterdir()) == []

    def test_comes_once(self, session):
        session.end("completed")
        session.recorder.close("again")
        assert [batch.session_span.attrs for batch in session.batches()] == [{"cirron.ended": "completed"}]

    def test_nothing_is_recorded_after_it(self, session):
        session.end()
        with scope("late"):
            mark("late", 1)
        with session.recorder.scope("late"):
            session.recorder.mark("late", 1)
        assert list(session.recorder.batches([1])) == [1]
        assert session.picture() == "cirron.session"

    def test_everything_may_still_be_called_after_it(self, session):
        session.end()
        recorder = session.recorder
        assert recorder.closed
        assert (recorder.drain(), recorder.depth(), recorder.open_spans()) == (0, 0, b"[]")
        assert (recorder.take_deferred(), recorder.take_warnings()) == ([], [])
        recorder.resolve(1, 2)
        recorder.wake()
        assert recorder.counters()["batches_sealed"] == 1

    def test_a_recorder_that_is_dropped_without_an_end_leaves_its_journal(self, root):
        session = Session(root)
        with scope("s"):
            pass
        path = session.recorder.journal_path
        set_default(None)
        del session.recorder
        assert recover(path, str(root / "spool")).spans == 1
        assert draw(root / "spool") == "cirron.session (interrupted)\n  s"


class TestFacts:
    def test_the_session_id_is_in_every_batch_with_the_given_fields(self, new_session):
        session = new_session(batch_fields=b'"sdk_version":"9.9","host":"n1","rank":2,"world_size":4', rank=2)
        with scope("s"):
            pass
        session.recorder.drain()
        for batch in session.batches():
            assert batch.session_id == session.recorder.session_id
            assert (batch.sdk_version, batch.host, batch.rank, batch.world_size) == ("9.9", "n1", 2, 4)
        assert session.span("s").rank == 2

    def test_ids_are_unique_hex(self, session):
        for number in range(5_000):
            with scope("s"):
                mark("m", number)
        spans, marks = session.spans(), session.marks()
        ids = [record.id for record in (*spans, *marks)] + [session.recorder.session_id]
        assert len(set(ids)) == 10_001
        assert all(re.fullmatch("[0-9a-f]{32}", name) for name in ids)

    def test_two_sessions_share_no_id(self, root):
        ids = set()
        for _ in range(3):
            session = Session(root)
            with scope("s"):
                mark("m", 1)
            session.end()
            ids.add(session.recorder.session_id)
        spans = [span.id for batch in batches_of(root / "spool") for span in batch.spans]
        assert (len(ids), len(set(spans))) == (3, 6)

    def test_open_spans_are_a_json_array_with_the_session(self, session):
        with scope("outer", 2, a="b"), scope("inner"):
            spans = json.loads(session.recorder.open_spans())
        assert {(span["name"], span["index"], span["end_ns"]) for span in spans} == {
            ("cirron.session", None, None),
            ("outer", 2, None),
            ("inner", None, None),
        }
        by_name = {span["name"]: span for span in spans}
        assert by_name["inner"]["parent_id"] == by_name["outer"]["id"]
        assert by_name["outer"]["attrs"] == {"a": "b"}

    def test_counters_count(self, session):
        for _ in range(3):
            with scope("s"):
                mark("m", 1)
        session.recorder.drain()
        counters = session.recorder.counters()
        assert (counters["spans_recorded"], counters["marks_recorded"], counters["batches_sealed"]) == (
            3,
            3,
            1,
        )
        assert counters["bytes_sealed"] == sum(path.stat().st_size for path in session.spool.iterdir())
        assert (counters["seal_failures"], counters["internal_errors"]) == (0, {})

    def test_later_batches_say_what_was_removed_from_the_spool(self, session):
        mark("m", 1)
        session.recorder.drain()
        session.recorder.count_spool_drops(batches=1, spans=20, marks=300)
        session.recorder.count_spool_drops(2, 0, 5)
        before, after = (batch.counters for batch in session.batches())
        assert (before.spool_batches_dropped, before.spool_spans_dropped, before.spool_marks_dropped) == (
            0,
            0,
            0,
        )
        assert (after.spool_batches_dropped, after.spool_spans_dropped, after.spool_marks_dropped) == (
            3,
            20,
            305,
        )

    def test_removed_counts_are_not_negative(self, session):
        with pytest.raises(ValueError, match="negative"):
            session.recorder.count_spool_drops(0, -1, 0)

    def test_a_file_holds_the_journal(self, session):
        assert session.recorder.journal_kind == "file"
        assert Path(session.recorder.journal_path).name == f"{session.recorder.session_id}.journal"

    def test_the_journal_is_intact_while_its_path_names_it(self, session):
        path = Path(session.recorder.journal_path)
        assert session.recorder.journal_intact
        path.rename(path.with_suffix(".moved"))
        assert not session.recorder.journal_intact
        path.touch()
        assert not session.recorder.journal_intact
        path.with_suffix(".moved").rename(path)
        assert session.recorder.journal_intact

    def test_no_journal_is_as_good_as_an_intact_one(self, session, new_session):
        assert new_session(journal_dir=None).recorder.journal_intact
        session.end()
        assert session.recorder.journal_intact

    def test_without_a_folder_memory_does(self, new_session):
        session = new_session(journal_dir=None)
        with scope("s"):
            mark("m", 1)
        assert session.recorder.journal_kind.startswith("anonymous")
        assert session.recorder.journal_path is None
        assert session.picture() == "cirron.session\n  s | m=1"

    def test_where_no_file_can_be_made_memory_does_and_says_why(self, new_session, tmp_path):
        session = new_session(journal_dir=str(tmp_path / "missing"))
        with scope("s"):
            mark("m", 1)
        assert session.recorder.journal_kind == "anonymous (No such file or directory)"
        assert session.picture() == "cirron.session\n  s | m=1"


class TestArguments:
    def test_a_spool_directory_is_needed(self):
        with pytest.raises(TypeError, match="spool_dir"):
            Recorder(journal_dir=None, batch_fields=b"")

    def test_batch_fields_have_a_limit(self, tmp_path):
        with pytest.raises(RuntimeError, match="batch_fields"):
            Recorder(spool_dir=str(tmp_path), journal_dir=None, batch_fields=b"x" * 4097)
        assert list(tmp_path.glob("*.journal")) == []

    def test_so_do_rings(self, tmp_path):
        with pytest.raises(ValueError, match="ring_marks"):
            Recorder(spool_dir=str(tmp_path), journal_dir=None, batch_fields=b"", ring_marks=2**30)

    def test_a_failed_start_leaves_no_journal(self, tmp_path):
        with pytest.raises(RuntimeError):
            Recorder(spool_dir=str(tmp_path), journal_dir=str(tmp_path), batch_fields=b"x" * 4097)
        assert [path.name for path in tmp_path.iterdir() if "journal" in path.name] == []

    def test_sixteen_may_be_alive(self, root):
        sessions = [Session(root) for _ in range(16)]
        with pytest.raises(RuntimeError, match="16"):
            Session(root)
        for session in sessions:
            session.end()
        Session(root).end()

    def test_the_default_is_a_recorder_or_none(self):
        with pytest.raises(TypeError, match="Recorder"):
            set_default("recorder")


class TestTwoAtOnce:
    def test_each_keeps_its_own_tree(self, tmp_path):
        first, second = Session(tmp_path / "first"), Session(tmp_path / "second")
        with first.recorder.scope("a"):
            with second.recorder.scope("b"):
                first.recorder.mark("in a", 1)
                second.recorder.mark("in b", 2)
                with first.recorder.scope("c"):
                    second.recorder.mark("still in b", 3)
            mark("by default in the second", 4)
        assert first.picture() == "cirron.session\n  a | in a=1\n    c"
        assert second.picture() == tree("""
            cirron.session | by default in the second=4
              b | in b=2 | still in b=3
        """)

    def test_threads_record_into_both(self, tmp_path):
        first, second = Session(tmp_path / "first"), Session(tmp_path / "second")

        def work():
            with first.recorder.scope("a"), second.recorder.scope("b"):
                first.recorder.mark("m", 1)
                second.recorder.mark("m", 2)

        for _ in range(3):
            in_thread(work)
        assert [mark.value for mark in first.marks("m")] == [1, 1, 1]
        assert [mark.value for mark in second.marks("m")] == [2, 2, 2]

    def test_a_scope_closes_in_the_recorder_it_opened_in(self, tmp_path):
        first = Session(tmp_path / "first")
        handle = scope("s")
        handle.__enter__()
        second = Session(tmp_path / "second")
        mark("m", 1)
        handle.__exit__(None, None, None)
        assert (first.picture(), second.picture()) == ("cirron.session\n  s", "cirron.session | m=1")

    def test_one_handle_open_in_both_closes_in_each(self, tmp_path):
        first = Session(tmp_path / "first")
        handle = scope("s")
        with handle:
            second = Session(tmp_path / "second")
            with handle:
                pass
        assert (first.picture(), second.picture()) == ("cirron.session\n  s", "cirron.session\n  s")

    def test_a_session_may_follow_another_with_scopes_open(self, tmp_path):
        first = Session(tmp_path / "first")
        with scope("across"):
            first.end()
            second = Session(tmp_path / "second")
            with scope("inside"):
                mark("m", 1)
        mark("after", 2)
        assert first.picture() == "cirron.session\n  across (interrupted)"
        assert second.picture() == "cirron.session | after=2\n  inside | m=1"


class TestWithoutADefault:
    @pytest.fixture(autouse=True)
    def no_default(self):
        set_default(None)

    def test_nothing_is_recorded_and_everything_works(self, tmp_path):
        with scope("s", 1, a=1) as handle, handle:
            mark("m", object())
        assert list(epochs(batches([1, 2]))) == [1, 2]
        assert list(tmp_path.rglob("*.json")) == []

    def test_marks_are_not_even_looked_at(self):
        class Untouchable:
            def __getattribute__(self, name):
                raise AssertionError(name)

        mark(Untouchable(), Untouchable(), a=Untouchable())

    def test_a_recorder_that_was_replaced_keeps_what_it_has(self, session):
        mark("before", 1)
        set_default(None)
        mark("meanwhile", 2)
        set_default(session.recorder)
        mark("after", 3)
        assert session.picture() == "cirron.session | before=1 | after=3"

    def test_a_closed_recorder_as_default_records_nothing(self, session):
        session.end()
        set_default(session.recorder)
        mark("m", 1)
        assert session.picture() == "cirron.session"


class TestFork:
    def fork(self, child):
        pid = os.fork()
        if pid == 0:
            try:
                child()
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0

    def test_a_child_records_nothing_and_the_parent_goes_on(self, session):
        def child():
            mark("child", 1)
            with scope("child"):
                session.recorder.mark("child", 2)
            list(session.recorder.batches([1]))
            assert session.recorder.closed
            assert session.recorder.drain() == 0
            session.recorder.close("completed")

        with scope("outer"):
            mark("before", 1)
            self.fork(child)
            mark("after", 2)
        assert session.picture() == "cirron.session\n  outer | before=1 | after=2"

    def test_scopes_that_were_open_may_be_left_in_the_child(self, session):
        handle = scope("outer")
        handle.__enter__()
        self.fork(lambda: handle.__exit__(None, None, None))
        mark("inside", 1)
        handle.__exit__(None, None, None)
        assert session.picture() == "cirron.session\n  outer | inside=1"

    def test_a_child_may_have_a_session_of_its_own(self, session, tmp_path):
        def child():
            own = Session(tmp_path / "child")
            with scope("in child"):
                mark("m", os.getpid())
            own.end()

        with scope("outer"):
            self.fork(child)
        assert session.picture() == "cirron.session\n  outer"
        (batch,) = batches_of(tmp_path / "child" / "spool")
        span = next(span for span in batch.spans if span.name == "in child")
        (pid,) = (mark.value for mark in batch.marks if mark.name == "m")
        assert (span.parent_id, span.pid) == (batch.session_id, pid)
        assert span.pid != os.getpid()

    def test_the_journal_stays_the_parents_after_the_child_has_gone(self, session):
        self.fork(lambda: None)
        assert recover(session.recorder.journal_path, str(session.spool)) is None
        mark("m", 1)
        assert session.picture() == "cirron.session | m=1"

    def test_a_child_does_not_hold_the_journal_of_a_session_that_could_not_be_closed(self, root):
        session = Session(root)
        mark("m", 1)
        session.spool.rmdir()
        session.spool.touch()
        with pytest.raises(NotADirectoryError):
            session.recorder.close("completed")
        session.spool.unlink()
        session.spool.mkdir()
        path = session.recorder.journal_path
        begun, begins = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(begins, b"!")
            signal.pause()
        os.read(begun, 1)
        set_default(None)
        del session.recorder
        found = recover(path, str(session.spool))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert found is not None
        assert found.marks == 1

    def test_a_thread_may_be_draining_at_that_moment(self, root):
        result = run_program(
            root,
            """
            import os, threading
            recorder = start()
            done = threading.Event()
            def drain():
                while not done.is_set():
                    recorder.drain()
                    recorder.wait(0.0001)
            thread = threading.Thread(target=drain)
            thread.start()
            for number in range(30):
                mark("m", number)
                pid = os.fork()
                if pid == 0:
                    mark("child", 1)
                    recorder.counters(), recorder.take_warnings(), recorder.wake(), recorder.close("completed")
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
            done.set()
            thread.join()
            recorder.close("completed")
            """,
        )
        assert (result.returncode, result.stderr) == (0, "")
        marks = [mark for batch in batches_of(root / "spool") for mark in batch.marks if mark.name == "m"]
        assert [mark.value for mark in marks] == list(range(30))


def test_the_program_may_end_with_everything_open(root):
    result = run_program(
        root,
        """
        import threading
        recorder = start()
        kept = scope("kept")
        kept.__enter__()
        iterator = iter(batches(range(3)))
        next(iterator)
        def generate():
            with scope("generator"):
                yield
        suspended = generate()
        next(suspended)
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        """,
    )
    assert (result.returncode, result.stderr) == (0, "")
    (journal,) = (root / "journal").iterdir()
    recover(str(journal), str(root / "spool"))
    assert draw(root / "spool").startswith("cirron.session (interrupted)\n  kept")


def test_batch_fields_are_as_they_were_given(root):
    session = Session(root)
    session.end()
    (path,) = session.spool.iterdir()
    assert BATCH_FIELDS in path.read_bytes()
