"""A worker's session begins when the worker first records something, and not before."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cirron._recorder import arm_starter, batches, epochs, mark, scope, set_default, set_starter
from support.recorders import Session, in_thread


@pytest.fixture
def starter(root):
    """Begins a session when it is called; keeps those it began."""
    calls = Starter(root)
    set_default(None)
    set_starter(calls)
    yield calls
    set_starter(None)
    for session in calls.sessions:
        session.end()


class Starter:
    def __init__(self, root):
        self.root = root
        self.sessions = []
        self.calls = 0

    def __call__(self):
        self.calls += 1
        self.sessions.append(Session(self.root))

    def picture(self):
        (session,) = self.sessions
        return session.picture()


@scope("decorated")
def decorated():
    """Decorated long before there is a session."""


@scope("generator")
def generator():
    yield 1


def a_loop(wrap):
    def run():
        for _ in wrap([1]):
            pass

    return run


def a_scope():
    with scope("s"):
        pass


FIRST_USES = {
    "mark": (lambda: mark("m", 1), " | m=1"),
    "scope": (a_scope, "\n  s"),
    "decorated function": (decorated, "\n  decorated"),
    "decorated generator": (lambda: list(generator()), "\n  generator"),
    "epochs": (a_loop(epochs), "\n  epoch[0]"),
    "batches": (a_loop(batches), "\n  batch[0]"),
}


@pytest.mark.parametrize(("use", "picture"), FIRST_USES.values(), ids=FIRST_USES)
def test_the_first_use_begins_a_session_and_is_in_it(starter, use, picture):
    arm_starter()
    use()
    assert starter.picture() == "cirron.session" + picture


def test_a_scope_that_is_only_made_is_no_use_yet(starter):
    arm_starter()
    scope("s"), epochs([1]), batches([1])
    scope("f")(len)
    assert starter.calls == 0


def test_it_is_called_once(starter):
    calls = []
    set_starter(lambda: calls.append(1))
    arm_starter()
    for _ in range(3):
        mark("m", 1)
        a_scope()
    assert calls == [1]


def test_what_other_threads_do_while_it_begins_a_session_is_recorded_too(starter):
    def meanwhile():
        beginning.wait()
        a_scope()

    def begin():
        beginning.set()
        starter()

    beginning = threading.Event()
    set_starter(begin)
    arm_starter()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(meanwhile)
        mark("m", 1)
    assert starter.picture() == "cirron.session | m=1\n  s"


def test_it_is_not_called_unless_armed(starter):
    mark("m", 1)
    a_scope()
    assert starter.calls == 0


def test_it_is_not_called_while_something_records(starter, session):
    arm_starter()
    mark("m", 1)
    assert (starter.calls, session.picture()) == (0, "cirron.session | m=1")


def test_choosing_a_default_disarms_it(starter):
    arm_starter()
    set_default(None)
    mark("m", 1)
    assert starter.calls == 0


def test_to_arm_without_a_starter_does_nothing(starter):
    set_starter(None)
    arm_starter()
    set_starter(starter)
    mark("m", 1)
    assert starter.calls == 0


def test_what_it_raises_reaches_nobody_and_nothing_is_recorded(starter):
    def failing():
        raise RuntimeError

    set_starter(failing)
    arm_starter()
    mark("m", 1)
    assert list(epochs([1, 2])) == [1, 2]


def test_what_a_signal_handler_raises_meanwhile_reaches_the_program(starter):
    def interrupted():
        raise KeyboardInterrupt

    set_starter(interrupted)
    for use, _ in FIRST_USES.values():
        arm_starter()
        with pytest.raises(KeyboardInterrupt):
            use()


def test_what_it_does_itself_is_idle_until_it_has_a_session(starter):
    def begin():
        a_scope()
        mark("before", 1)
        starter()
        mark("begun", 2)

    set_starter(begin)
    arm_starter()
    mark("m", 3)
    assert starter.picture() == "cirron.session | begun=2 | m=3"


def test_a_loop_may_be_closed_by_it(starter):
    iterator = iter(batches([1, 2]))

    def begin():
        iterator.close()

    set_starter(begin)
    arm_starter()
    assert list(iterator) == []


def test_a_thread_that_it_waits_for_itself_goes_on_idle(starter):
    def begin():
        in_thread(mark, "meanwhile", 1)
        starter()

    set_starter(begin)
    arm_starter()
    mark("m", 2)
    assert starter.picture() == "cirron.session | m=2"


def test_it_is_something_to_call_or_none():
    with pytest.raises(TypeError, match="callable"):
        set_starter("starter")


class TestAFork:
    def in_child(self, function):
        """What the function returns in a child process, as an exit code below 100."""
        child = os.fork()
        if child == 0:
            try:
                os._exit(function())
            except BaseException:
                os._exit(100)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def test_arms_it_in_the_child_of_a_process_that_records(self, starter, session, tmp_path):
        def child():
            starter.root = tmp_path / "child"
            mark("in child", 1)
            return int(starter.picture() == "cirron.session | in child=1")

        assert self.in_child(child) == 1
        mark("in parent", 2)
        assert (starter.calls, session.picture()) == (0, "cirron.session | in parent=2")

    def test_does_not_arm_it_where_nothing_records(self, starter):
        def child():
            mark("m", 1)
            return starter.calls

        assert self.in_child(child) == 0

    def test_does_not_arm_it_after_the_end_of_a_session(self, starter, session):
        def child():
            mark("m", 1)
            return starter.calls

        session.end()
        assert self.in_child(child) == 0

    def test_passes_it_on_to_a_grandchild_while_it_is_armed(self, starter, session, tmp_path):
        def grandchild():
            starter.root = tmp_path / "grandchild"
            mark("m", 1)
            return int(starter.picture() == "cirron.session | m=1")

        assert self.in_child(lambda: self.in_child(grandchild)) == 1

    def test_within_it_is_harmless(self, starter):
        codes = []

        def begin():
            codes.append(self.in_child(lambda: mark("m", 1) or 7))
            starter()

        set_starter(begin)
        arm_starter()
        mark("m", 2)
        assert (codes, starter.picture()) == ([7], "cirron.session | m=2")

    def test_by_a_thread_arms_it_too(self, starter, session, tmp_path):
        def child():
            starter.root = tmp_path / "child"
            a_scope()
            return int(starter.picture() == "cirron.session\n  s" and threading.active_count() == 1)

        assert in_thread(self.in_child, child) == 1
