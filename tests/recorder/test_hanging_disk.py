"""A write that does not come back: nobody else waits for it longer than they choose to, and nothing is lost."""

import sys

import pytest

from cirron._recorder import recover
from support.recorders import run_program, tree
from support.spool_pictures import draw
from support.system_calls import HANG_AT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")

BEGINNING = """
import threading

recorder = start()
mark("m", 1)
hangs = []
started = threading.Event()

def on_a_hanging_disk(function, *args):
    hangs.append(hang_at("rename"))
    started.set()
    function(*args)

def begin(function, *args):
    thread = threading.Thread(target=on_a_hanging_disk, args=(function, *args))
    thread.start()
    started.wait()
    hangs[0].wait_until_it_hangs()
    return thread

def gives_up(function, *args):
    try:
        function(*args)
    except TimeoutError as error:
        return str(error)
"""


def run(root, body):
    result = run_program(root, "\n".join((HANG_AT, BEGINNING, tree(body))))
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.strip()


def test_another_drain_gives_up_in_time_and_the_hanging_one_may_still_succeed(root):
    said = run(
        root,
        """
        thread = begin(recorder.drain)
        mark("m", 2)
        print(gives_up(recorder.drain, 0.01))
        hangs[0].end()
        thread.join()
        assert recorder.drain(60) == 1
        recorder.close("completed", 60)
        """,
    )
    assert said.startswith("another thread has been writing to ")
    assert "for 0.01 s" in said
    assert draw(root / "spool") == "cirron.session | m=1 | m=2"


def test_a_close_gives_up_in_time_and_leaves_the_journal(root):
    run(
        root,
        """
        thread = begin(recorder.drain)
        mark("m", 2)
        assert gives_up(recorder.close, "completed", 0.01)
        assert recorder.closed
        mark("late", 3)
        hangs[0].end()
        thread.join()
        """,
    )
    (journal,) = (root / "journal").iterdir()
    recover(str(journal), str(root / "spool"))
    assert draw(root / "spool") == "cirron.session | m=1 | m=2"


def test_after_a_close_that_gave_up_another_does_nothing(root):
    run(
        root,
        """
        thread = begin(recorder.drain)
        assert gives_up(recorder.close, "completed", 0.01)
        recorder.close("again", 0.01)
        assert [name for name in os.listdir(ROOT + "/spool") if name.endswith(".json")] == []
        hangs[0].end()
        thread.join()
        """,
    )


def test_a_second_close_returns_no_sooner_than_the_first(root):
    run(
        root,
        """
        order = []
        first = begin(recorder.close, "completed")
        def close_as_well():
            recorder.close("again")
            order.append(os.listdir(ROOT + "/journal"))
        second = threading.Thread(target=close_as_well)
        second.start()
        print(gives_up(recorder.close, "again", 0.01))
        assert order == []
        hangs[0].end()
        first.join()
        second.join()
        assert order == [[]]
        """,
    )
    assert draw(root / "spool") == "cirron.session | m=1"


def test_the_one_that_gives_up_on_a_close_says_so(root):
    said = run(
        root,
        """
        thread = begin(recorder.close, "completed")
        print(gives_up(recorder.close, "again", 0.01))
        hangs[0].end()
        thread.join()
        """,
    )
    assert said.startswith("another thread has been closing the session for 0.01 s")


def test_a_closing_thread_that_comes_back_to_close_does_not_wait_for_itself(root):
    """A finalizer that runs within the close, and a signal handler likewise, may close once more."""
    run(
        root,
        """
        class Key(str):
            def __del__(self):
                recorder.close("again")
        with scope("s", **{Key("key"): 1}):
            pass
        recorder.close("completed")
        """,
    )
    assert draw(root / "spool") == "cirron.session | m=1\n  s key=1"


def test_a_forked_child_waits_for_no_thread_of_its_parent(root):
    run(
        root,
        """
        thread = begin(recorder.drain)
        waiting = threading.Thread(target=recorder.wait, args=(60,))
        waiting.start()
        child = os.fork()
        if child == 0:
            recorder.drain(), recorder.close("completed"), recorder.take_batches()
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        recorder.wake()
        waiting.join()
        hangs[0].end()
        thread.join()
        recorder.close("completed")
        """,
    )
    assert draw(root / "spool") == "cirron.session | m=1"


def test_a_recorder_lives_as_long_as_its_hanging_drain(root):
    run(
        root,
        """
        def journals():
            return [path for path in map(os.path.realpath, os.scandir("/proc/self/fd")) if path.endswith(".journal")]
        thread = begin(recorder.drain)
        assert gives_up(recorder.close, "completed", 0.01)
        set_default(None)
        del recorder
        assert len(journals()) == 1
        hangs[0].end()
        thread.join()
        assert journals() == []
        """,
    )
    (journal,) = (root / "journal").iterdir()
    recover(str(journal), str(root / "spool"))
    assert draw(root / "spool") == "cirron.session | m=1"


def test_a_program_may_end_while_a_drain_hangs(root):
    run(
        root,
        """
        thread = threading.Thread(target=on_a_hanging_disk, args=(recorder.drain,), daemon=True)
        thread.start()
        started.wait()
        hangs[0].wait_until_it_hangs()
        assert gives_up(recorder.close, "completed", 0.01)
        set_default(None)
        del recorder
        """,
    )
    (journal,) = (root / "journal").iterdir()
    recover(str(journal), str(root / "spool"))
    assert draw(root / "spool") == "cirron.session | m=1"


@pytest.mark.parametrize("timeout", ["soon", [1]])
def test_a_timeout_is_a_number_of_seconds_or_none(session, timeout):
    with pytest.raises(TypeError):
        session.recorder.drain(timeout)
    with pytest.raises(TypeError):
        session.recorder.close("completed", timeout)
    assert not session.recorder.closed


@pytest.mark.parametrize("timeout", [None, 0, -1, 1e300, float("nan"), float("inf")])
def test_any_number_will_do(session, timeout):
    assert session.recorder.drain(timeout) == 0
    session.recorder.close("completed", timeout)
    assert session.recorder.closed
