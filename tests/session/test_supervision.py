"""The background threads: replaced when they die, reported when they hang, and stopped in bounded time."""

import logging
import sys
import threading

import pytest

import cirron as ci
from cirron import supervision
from cirron.bell import Bell
from cirron.faults import Faults
from cirron.supervision import Supervisor
from support.programs import run_program


class Task:
    """Works at each ring of the bell; dies or hangs on request."""

    keeps_disk = True

    def __init__(self, name="writer"):
        self.name = name
        self.bell = Bell()
        self.rounds = threading.Semaphore(0)
        self.deaths_ahead = 0
        self.hang = None
        self.left = 0
        self.ends_when_interrupted = False

    def wait(self):
        self.bell.wait(60)

    def wake(self):
        self.bell.ring()

    def work(self):
        if self.deaths_ahead:
            self.deaths_ahead -= 1
            raise SystemExit("a fault that nobody expected")
        if self.hang is not None:
            self.rounds.release()
            self.hang.wait()
        self.left -= 1
        self.rounds.release()

    def has_more(self):
        return self.left > 0

    def interrupt(self):
        if self.ends_when_interrupted:
            self.hang.set()


class Expendable(Task):
    keeps_disk = False


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(supervision, "WATCH_S", 0.005)
    monkeypatch.setattr(supervision, "FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE_S", 0.02)


@pytest.fixture
def supervise(faults, quick):
    """Starts tasks under a supervisor, and stops all of it after the test."""
    started = []

    def start(*tasks):
        supervisor = Supervisor(tasks, faults)
        started.append((supervisor, tasks))
        return supervisor

    yield start
    for supervisor, tasks in started:
        supervisor.stop_watching(10)
        for task in tasks:
            supervisor.stop(task, 10)


def until(condition):
    """Return when the condition holds; without it the test hangs and the suite's time-out tells."""
    while not condition():
        threading.Event().wait(0.002)


class TestASupervisedTask:
    def test_works_each_time_it_is_woken(self, supervise):
        task = Task()
        supervise(task)
        for _ in range(3):
            task.wake()
            assert task.rounds.acquire(timeout=10)

    def test_that_died_is_replaced_and_works_again(self, supervise, faults):
        task = Task()
        task.deaths_ahead = 2
        supervisor = supervise(task)
        task.wake()
        until(lambda: faults.counts().get("writer") == 1)
        until(lambda: supervisor.states() == {"writer": "running"})
        task.wake()
        until(lambda: faults.counts().get("writer") == 2)
        until(lambda: supervisor.states() == {"writer": "running"})
        task.wake()
        assert task.rounds.acquire(timeout=10)
        assert supervisor.degraded is None

    def test_is_running_in_the_first_round_of_a_replaced_thread(self, supervise, monkeypatch):
        task = Task()
        task.deaths_ahead = 1
        supervisor = supervise(task)
        seen = []

        class SlowToStart(threading.Thread):
            def start(self):
                super().start()
                task.wake()
                task.rounds.acquire(timeout=10)
                seen.append(supervisor.states())

        monkeypatch.setattr(threading, "Thread", SlowToStart)
        task.wake()
        until(lambda: seen)
        assert seen == [{"writer": "running"}]

    def test_that_dies_three_times_in_a_minute_takes_the_session_into_spool_only_mode(
        self, supervise, caplog
    ):
        writer, sender = Task(), Expendable("sender")
        sender.deaths_ahead = 3
        supervisor = supervise(writer, sender)
        until(lambda: sender.wake() or supervisor.degraded)
        assert supervisor.degraded == "the sender thread died 3 times in 60 s"
        until(
            lambda: supervisor.states()["sender"] != "running"
        )  # it is asked to end, and does so on its own
        assert supervisor.states() == {"writer": "running", "sender": "ended"}
        writer.wake()
        assert writer.rounds.acquire(timeout=10)
        (said,) = [record.message for record in caplog.records if "spool only" in record.message]
        assert "`cirron spool flush` sends them later" in said

    def test_that_writes_is_replaced_for_ever(self, supervise):
        writer, sender = Task(), Expendable("sender")
        writer.deaths_ahead = 6
        supervisor = supervise(writer, sender)
        until(lambda: writer.wake() or writer.rounds.acquire(blocking=False))
        until(
            lambda: supervisor.states()["sender"] != "running"
        )  # it is asked to end, and does so on its own
        assert supervisor.states() == {"writer": "running", "sender": "ended"}

    def test_that_hangs_is_reported_once(self, supervise, monkeypatch, caplog):
        monkeypatch.setattr(supervision, "HANG_S", 0.02)
        task = Task()
        task.hang = threading.Event()
        supervisor = supervise(task)
        task.wake()
        assert task.rounds.acquire(timeout=10)
        until(lambda: any("has been busy" in record.message for record in caplog.records))
        assert supervisor.states()["writer"].startswith("hung for")
        task.hang.set()
        until(lambda: supervisor.states() == {"writer": "running"})
        assert len(caplog.records) == 1

    def test_that_hangs_is_asked_to_come_to_its_end(self, supervise, monkeypatch):
        monkeypatch.setattr(supervision, "HANG_S", 0.02)
        task = Task()
        task.hang = threading.Event()
        task.ends_when_interrupted = True
        supervisor = supervise(task)
        task.wake()
        assert task.hang.wait(10)
        until(lambda: supervisor.states() == {"writer": "running"})

    def test_that_hangs_is_left_to_itself_when_time_is_up(self, supervise):
        task = Task()
        task.hang = threading.Event()
        supervisor = supervise(task)
        task.wake()
        assert task.rounds.acquire(timeout=10)
        assert not supervisor.stop(task, 0.01)
        task.hang.set()
        assert supervisor.stop(task, 10)

    def test_finishes_what_is_left_when_it_is_asked_to(self, supervise):
        task = Task()
        supervisor = supervise(task)
        task.left = 5
        assert supervisor.stop(task, 10, finish=True)
        assert task.left == 0


class TestAPause:
    def test_ends_the_threads_and_afterwards_others_go_on(self, supervise):
        task = Task()
        supervisor = supervise(task)
        supervisor.pause()
        assert supervisor.threads() == 0
        supervisor.resume()
        assert supervisor.threads() == 2
        task.wake()
        assert task.rounds.acquire(timeout=10)

    def test_lets_a_thread_be_that_is_in_the_middle_of_something(self, supervise, faults):
        task = Task()
        task.hang = threading.Event()
        supervisor = supervise(task)
        task.wake()
        assert task.rounds.acquire(timeout=10)
        supervisor.pause()
        supervisor.resume()
        task.hang.set()
        task.hang = None
        task.wake()
        assert task.rounds.acquire(timeout=10)
        assert faults.counts() == {}


class TestABell:
    def test_ends_the_next_wait_when_nobody_waits_yet(self):
        bell = Bell()
        bell.ring()
        bell.ring()
        assert bell.wait(60)
        assert not bell.wait(0)


class TestASession:
    def test_replaces_a_writer_that_was_killed_and_loses_nothing(self, quick, caplog):
        """The thread dies of an exception raised from outside, as a debugger or a watchdog may do."""
        import ctypes

        profiler = ci.profile(flush_interval=0.01)
        try:
            first = next(thread for thread in threading.enumerate() if thread.name == "cirron-writer")
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(first.ident), ctypes.py_object(SystemExit)
            )
            with ci.scope("step"):
                pass
            first.join(10)
            until(lambda: profiler.health()["threads"]["writer"] == "running")
            assert profiler.health()["internal_errors"] == {"writer": 1}
        finally:
            ci.shutdown()
        (said,) = [record.message for record in caplog.records]
        assert said.startswith("the writer thread died and is replaced; nothing recorded is lost meanwhile")

    def test_without_threads_to_be_had_still_writes_at_its_end(self):
        script = """
import resource, threading
import cirron as ci
threading.Thread.start = lambda self: (_ for _ in ()).throw(RuntimeError("can't start new thread"))
ci.profile()
with ci.scope("step"): pass
print(ci.health()["threads"])
"""
        ended = run_program(script)
        assert (ended.code, ended.stdout) == (0, "{'writer': 'dead'}\n")
        assert ended.stderr.count("\n") == 1
        assert "a thread could not be started, so call cirron.flush() now and then" in ended.stderr

    def test_of_a_program_without_threads_lets_it_fork_as_one(self):
        """CPython warns of a fork in a process with threads, whosever they are, from 3.12 on."""
        script = """
import os, threading
at_fork = []
os.register_at_fork(before=lambda: at_fork.append(threading.active_count()))  # runs after those of cirron
import cirron as ci
ci.profile()
for _ in range(3):
    pid = os.fork()
    if pid == 0: os._exit(0)
    os.waitpid(pid, 0)
    with ci.scope("step"): pass
print(at_fork, sorted(thread.name for thread in threading.enumerate()))
"""
        ended = run_program(script, "-W", "error")
        assert (ended.code, ended.stderr) == (0, "")
        at_fork = [1, 1, 1] if sys.version_info >= (3, 12) else [3, 3, 3]
        assert ended.stdout == f"{at_fork} ['MainThread', 'cirron-supervisor', 'cirron-writer']\n"

    def test_whose_handler_holds_the_log_ends_all_the_same(self):
        """The writer waits for a lock of logging's that the main thread holds while a signal ends the program."""
        script = """
import logging, os, signal, threading
import cirron as ci
from cirron import recording
recording.SIGNAL_S = 0.2
handler = logging.StreamHandler()
logging.getLogger("cirron").addHandler(handler)
ci.profile(flush_interval=0.01)
handler.acquire()
ci.mark("wrong", object())
while "Waiting" not in str(ci.health()) and not handler.lock._is_owned(): pass
os.kill(os.getpid(), signal.SIGTERM)
"""
        assert run_program(script).code == -15


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.WARNING, logger="cirron")
