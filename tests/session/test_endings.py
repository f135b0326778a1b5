"""However a program ends, its records are there, its session says how it ended, and the end is as without us."""

import pytest

from support.programs import run_program, spans_and_endings

PREAMBLE = """
import asyncio, os, signal, sys, threading
import cirron as ci
RECORDS = os.environ["RECORDS"] == "yes"
ci.profile(enabled=RECORDS, flush_interval=60)
def work(name="step"):
    with ci.scope(name):
        ci.mark("loss", 0.5)
def kill_myself(signum):
    os.kill(os.getpid(), signum)
work()
"""

ENDINGS = {
    "it just ends": ("", "completed"),
    "sys.exit": ("sys.exit(3)", "completed"),
    "sys.exit with a message": ("sys.exit('enough')", "completed"),
    "an unhandled exception": ("raise ValueError('wrong')", "exception: ValueError"),
    "an exception in another thread": (
        "thread = threading.Thread(target=int, args=['x']); thread.start(); thread.join()",
        "completed",
    ),
    "SIGTERM": ("kill_myself(signal.SIGTERM)", "signal: SIGTERM"),
    "SIGINT": ("kill_myself(signal.SIGINT)", "signal: SIGINT"),
    "SIGINT in asyncio.run": (
        """
async def main():
    try:
        kill_myself(signal.SIGINT)
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled, as asyncio promises")
        raise
asyncio.run(main())""",
        "signal: SIGINT",
    ),
    "SIGTERM after a user's handler was set over ours": (
        """
def leave(signum, frame):
    print("leaving")
    os._exit(4)
signal.signal(signal.SIGTERM, leave)
kill_myself(signal.SIGTERM)""",
        "killed",
    ),
    "SIGTERM after a user's handler that goes on to ours": (
        """
ours = signal.getsignal(signal.SIGTERM)
def first(signum, frame):
    print("first")
    if callable(ours): ours(signum, frame)
    else: signal.signal(signum, ours); kill_myself(signum)
signal.signal(signal.SIGTERM, first)
kill_myself(signal.SIGTERM)""",
        "signal: SIGTERM",
    ),
    "SIGKILL": ("kill_myself(signal.SIGKILL)", "killed"),
    "os._exit": ("os._exit(7)", "killed"),
    "exec of another program": ("os.execv('/bin/sh', ['sh', '-c', 'echo another; exit 5'])", "killed"),
    "a daemon thread that records while Python goes": (
        """
def forever():
    while True: ci.mark("late", 1)
threading.Thread(target=forever, daemon=True).start()""",
        "completed",
    ),
    "shutdown() and then more": ("ci.shutdown(); print(1 + 1)", "completed"),
    "shutdown() in an atexit of the user's": ("import atexit; atexit.register(ci.shutdown)", "completed"),
    "SIGTERM while profile() was called by another thread": (
        """
ci.shutdown()
thread = threading.Thread(target=ci.profile, kwargs={"enabled": RECORDS}); thread.start(); thread.join()
work("step 2")
kill_myself(signal.SIGTERM)""",
        "signal: SIGTERM",
    ),
}


@pytest.mark.parametrize(("script", "ended"), ENDINGS.values(), ids=ENDINGS.keys())
def test_the_session_says_how_it_ended_and_the_program_ends_as_ever(script, ended):
    without = run_program(PREAMBLE + script, RECORDS="no")
    recording = run_program(PREAMBLE + script, RECORDS="yes")
    assert recording == without
    found = spans_and_endings()
    assert found[0] == "step"
    assert found[-1] == ended


BEFORE_PROFILE = """
import os, signal, sys
import cirron as ci
from cirron.spool import read
def spans():
    return [span.name for batch in read(".cirron").batches() for span in batch.spans] if RECORDS else ["step"]
RECORDS = os.environ["RECORDS"] == "yes"
"""

HANDLERS = {
    "a handler that returns": (
        "signal.signal(signal.SIGTERM, lambda signum, frame: print('handled', spans()))",
        "signal.SIGTERM",
        ["step", "step 2", "completed"],
    ),
    "a handler that leaves": (
        "signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(6))",
        "signal.SIGTERM",
        ["step", "signal: SIGTERM"],
    ),
    "a handler that raises": (
        """
def stop(signum, frame): raise TimeoutError("stopped")
signal.signal(signal.SIGTERM, stop)""",
        "signal.SIGTERM",
        ["step", "exception: TimeoutError"],
    ),
    "an ignored signal": (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "signal.SIGTERM",
        ["step", "step 2", "completed"],
    ),
    "an ignored Ctrl-C": (
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "signal.SIGINT",
        ["step", "step 2", "completed"],
    ),
    "Ctrl-C with the system's own action": (
        "signal.signal(signal.SIGINT, signal.SIG_DFL)",
        "signal.SIGINT",
        ["step", "signal: SIGINT"],
    ),
}


@pytest.mark.parametrize(("handler", "signum", "spans"), HANDLERS.values(), ids=HANDLERS.keys())
def test_what_a_signal_meant_before_profile_it_means_after_it(handler, signum, spans):
    script = f"""{BEFORE_PROFILE}
{handler}
ci.profile(enabled=RECORDS, flush_interval=60)
with ci.scope("step"): pass
os.kill(os.getpid(), {signum})
with ci.scope("step 2"): pass
print("went on")
"""
    without = run_program(script, RECORDS="no")
    assert run_program(script, RECORDS="yes") == without
    assert spans_and_endings() == spans


class TestACaughtKeyboardInterrupt:
    SCRIPT = """
import os, signal
import cirron as ci
from cirron.spool import read
ci.profile(flush_interval=60)
with ci.scope("open"):
    with ci.scope("before"): pass
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        print([span.name for batch in read(".cirron").batches() for span in batch.spans])
with ci.scope("after"): pass
print(ci.health()["enabled"], ci.health()["threads"]["writer"])
"""

    def test_finds_everything_on_disk_and_recording_goes_on(self):
        ended = run_program(self.SCRIPT)
        assert (ended.code, ended.stdout, ended.stderr) == (0, "['before']\nTrue running\n", "")
        assert spans_and_endings() == ["before", "open", "after", "completed"]


class TestShutdown:
    def test_in_a_signal_handler_that_interrupts_a_shutdown_ends_the_session_once(self):
        script = """
import os, queue, signal, threading
import cirron as ci
handled = queue.SimpleQueue()
def handle(signum, frame):
    ci.shutdown()
    handled.put(None)
signal.signal(signal.SIGUSR1, handle)
stop = threading.Event()
def bombard():
    while not stop.is_set():
        os.kill(os.getpid(), signal.SIGUSR1)
        handled.get()
thread = threading.Thread(target=bombard)
thread.start()
for i in range(50):
    ci.profile()
    with ci.scope("step"): pass
    ci.flush()
    ci.shutdown()
stop.set()
thread.join()
"""
        assert run_program(script).code == 0
        assert set(spans_and_endings()) <= {"step", "completed"}

    def test_leaves_nothing_behind_a_hundred_times_over(self):
        script = """
import gc, multiprocessing.util, os, signal, threading
import cirron as ci
def state():
    maps = [line for line in open("/proc/self/maps") if "journal" in line] if os.path.exists("/proc") else []
    descriptors = sorted(os.listdir("/dev/fd"))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    finalizers = len(multiprocessing.util._finalizer_registry)
    gc.collect()
    objects = [type(each).__name__ for each in gc.get_objects() if type(each).__module__.startswith("cirron")]
    state = threading.active_count(), descriptors, handlers, maps, finalizers, sorted(objects)
    return *state, signal.default_int_handler, dict(os.environ)
def session():
    ci.profile()
    with ci.scope("step"): pass
    ci.shutdown()
session()
before = state()
for _ in range(100):
    session()
assert state() == before, (state(), before)
assert os.fork() or not os._exit(0)
print(os.WEXITSTATUS(os.wait()[1]))
"""
        ended = run_program(script)
        assert (ended.code, ended.stdout, ended.stderr) == (0, "0\n", "")
        assert spans_and_endings() == ["step", "completed"] * 101
