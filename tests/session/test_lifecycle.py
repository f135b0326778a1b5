"""`flush()`, `shutdown()` and the end of a program."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import cirron as ci
from cirron.spool import list_files, read
from support.pictures import picture


def spans_on_disk():
    return [span.name for batch in read(".cirron").batches() for span in batch.spans]


def ended():
    """What the session spans say about the end of their sessions."""
    batches = list(read(".cirron").batches())
    return [batch.session_span.attrs["cirron.ended"] for batch in batches if batch.session_span]


class TestFlush:
    def test_what_was_closed_before_it_is_on_disk_after_it(self, profiler):
        with ci.scope("step"):
            pass
        ci.flush()
        assert spans_on_disk() == ["step"]

    def test_what_is_open_stays_open(self, profiler):
        with ci.scope("epoch"):
            with ci.scope("step"):
                pass
            ci.flush()
            assert spans_on_disk() == ["step"]
        ci.flush()
        assert spans_on_disk() == ["step", "epoch"]

    def test_with_nothing_new_it_writes_nothing(self, profiler):
        ci.flush()
        ci.flush()
        assert list_files(".cirron") == []

    def test_without_a_session_it_does_nothing(self):
        ci.flush()
        assert not Path(".cirron").exists()

    def test_records_of_all_threads_are_on_disk(self, profiler):
        def work():
            with ci.scope("work"):
                pass

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ci.flush()
        assert spans_on_disk() == ["work"] * 4


class TestShutdown:
    def test_it_writes_everything_and_the_session_itself(self):
        ci.profile()
        with ci.scope("step"):
            pass
        ci.shutdown()
        assert spans_on_disk() == ["step", "cirron.session"]
        assert ended() == ["completed"]

    def test_it_leaves_no_journal_thread_or_temporary_file(self):
        ci.profile()
        ci.shutdown()
        assert [path.name for path in Path(".cirron/journal").iterdir()] == []
        assert [path.suffix for path in Path(".cirron/spool").iterdir()] == [".json"]
        assert [thread.name for thread in threading.enumerate() if "cirron" in thread.name] == []

    def test_a_second_one_does_nothing(self):
        ci.profile()
        ci.shutdown()
        ci.shutdown()
        assert ended() == ["completed"]

    def test_without_a_session_it_does_nothing(self):
        ci.shutdown()
        assert not Path(".cirron").exists()

    def test_what_comes_after_it_is_not_kept(self):
        ci.profile()
        ci.shutdown()
        with ci.scope("late"):
            ci.mark("loss", 0.5)
        assert spans_on_disk() == ["cirron.session"]

    def test_a_scope_that_is_open_then_can_still_be_left(self):
        ci.profile()
        with ci.scope("open"):
            ci.shutdown()
        assert "cirron.session" in spans_on_disk()

    def test_an_old_handle_does_not_end_the_next_session(self):
        old = ci.profile()
        ci.shutdown()
        new = ci.profile()
        old.shutdown()
        assert (old.enabled, new.enabled) == (False, True)
        new.shutdown()
        assert not new.enabled

    def test_many_threads_may_ask_for_it_at_once(self):
        ci.profile()
        threads = [threading.Thread(target=ci.shutdown) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ended() == ["completed"]

    def test_a_logging_handler_may_ask_for_it_in_the_writer_thread(self, writer_thread):
        asked = threading.Event()

        class EndingHandler(logging.Handler):
            def emit(self, record):
                ci.shutdown()
                asked.set()

        handler = EndingHandler()
        logging.getLogger("cirron").addHandler(handler)
        try:
            ci.mark("wrong", object())
            asked.wait()
            writer_thread.join()
        finally:
            logging.getLogger("cirron").removeHandler(handler)
        assert ended() == ["completed"]

    @pytest.fixture
    def writer_thread(self):
        ci.profile(flush_interval=0.01)
        return next(thread for thread in threading.enumerate() if thread.name == "cirron-writer")


def run(script, *options, **environ):
    """A script in a new interpreter; returns its exit code and all that it printed."""
    done = subprocess.run(
        [sys.executable, *options, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
    )
    return done.returncode, done.stdout + done.stderr


class TestEndOfTheProgram:
    def test_a_program_that_just_ends_has_written_everything(self):
        script = """
import cirron as ci
ci.profile()
with ci.scope("step"):
    ci.mark("loss", 0.5)
"""
        assert run(script) == (0, "")
        assert spans_on_disk() == ["step", "cirron.session"]
        assert ended() == ["completed"]

    def test_nothing_is_printed_when_python_looks_closely(self):
        script = """
import cirron as ci
ci.profile(flush_interval=0.01)
for epoch in ci.epochs(range(3)):
    for batch in ci.batches(range(3)):
        with ci.scope("step"):
            ci.mark("loss", 0.5)
ci.flush(); ci.health(); ci.trace("dict")
"""
        assert run(script, "-X", "dev", "-W", "error") == (0, "")

    def test_an_exit_in_the_middle_of_a_scope_is_written_too(self):
        script = """
import sys, cirron as ci
ci.profile()
with ci.scope("step"):
    sys.exit(3)
"""
        assert run(script) == (3, "")
        assert spans_on_disk() == ["step", "cirron.session"]

    def test_a_forked_child_neither_writes_for_its_parent_nor_hangs(self):
        script = """
import os, sys, cirron as ci
ci.profile()
with ci.scope("before"):
    pass
if os.fork() == 0:
    with ci.scope("in the child"):
        ci.mark("loss", 0.5)
    ci.flush(); ci.health(); ci.trace("dict")
    sys.exit(0)
_, status = os.wait()
sys.exit(os.waitstatus_to_exitcode(status))
"""
        assert run(script) == (0, "")
        assert sorted(spans_on_disk()) == ["before", "cirron.session", "cirron.session", "in the child"]

    def test_a_killed_session_is_sealed_by_the_next(self, caplog):
        script = """
import os, signal, cirron as ci
ci.profile()
with ci.scope("closed"):
    pass
with ci.scope("open"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
        assert run(script)[0] == -9
        ci.profile()
        recovered = ci.health()["recovered_sessions"]
        ci.shutdown()
        killed = list(read(".cirron", session=recovered[0]).batches())
        assert len(recovered) == 1
        assert [(span.name, span.end_ns is None) for batch in killed for span in batch.spans] == [
            ("closed", False),
            ("open", True),
            ("cirron.session", True),
        ]
        assert picture(ci.trace("dict")) == "cirron.session"


@pytest.mark.parametrize("name", ["flush", "health", "shutdown", "trace"])
def test_the_handle_offers_the_functions_of_the_module(name, profiler):
    assert callable(getattr(ci, name))
    assert callable(getattr(profiler, name))
