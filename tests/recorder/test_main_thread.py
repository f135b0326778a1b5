"""What another thread leaves for the main thread to call."""

import sys
import threading
import weakref

import pytest

from cirron._recorder import call_in_main_thread
from support.recorders import in_thread


def test_is_called_there_and_soon():
    threads = []
    called = threading.Event()

    def note():
        threads.append(threading.current_thread())
        called.set()

    assert in_thread(call_in_main_thread, note) is True
    assert called.wait(60)
    assert threads == [threading.main_thread()]


def test_goes_to_the_hook_for_unraisable_errors_when_it_raises(monkeypatch):
    errors = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: errors.append(unraisable.exc_type))
    called = threading.Event()

    def fail():
        called.set()
        raise KeyError

    in_thread(call_in_main_thread, fail)
    assert called.wait(60)
    assert errors == [KeyError]


def test_is_refused_when_too_much_waits_already():
    calls, answers = [], []
    hold, go_on = threading.Event(), threading.Event()

    def fill():
        while call_in_main_thread(lambda: calls.append(1)):
            answers.append(True)
        answers.append(False)
        go_on.set()

    def wait_here():
        hold.set()
        go_on.wait()

    thread = threading.Thread(target=lambda: hold.wait() and fill())
    thread.start()
    call_in_main_thread(wait_here)
    thread.join()
    assert answers[-1] is False
    assert len(calls) == answers.count(True) > 0


def test_is_let_go_of_afterwards():
    class Function:
        called = threading.Event()

        def __call__(self):
            self.called.set()

    function = Function()
    alive = weakref.ref(function)
    call_in_main_thread(function)
    assert Function.called.wait(60)
    del function
    assert alive() is None


def test_is_something_to_call():
    with pytest.raises(TypeError, match="callable"):
        call_in_main_thread("function")
