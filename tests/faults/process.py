"""What programs do to their own process: threads and descriptors that were ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from faults import debugger
from faults.fault import Fault, Found, Stage
from faults.launchers import with_descendants

# An exception from outside ends a thread, as libraries do that cancel threads.
KILL_THREAD = """
import ctypes, threading
def threads(name): return [each for each in threading.enumerate() if each.name == name and each.ident is not None]
def kill_thread(name):
    for thread in threads(name):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        while thread.is_alive(): train(1); time.sleep(0.001)
"""

CLOSE_ALL = """
def close_all():
    kept = line_descriptor()
    for number in range(3, 256):
        if number != kept:
            try: os.close(number)
            except OSError: pass
"""

DAEMONIZE = """
def daemonize():
    if os.fork(): os._exit(0)
    os.setsid()
    if os.fork(): os._exit(0)
"""


LOCKS = """
ROOT.mkdir()
holder = [sys.executable, PROGRAMS / "hold_locks.py", ROOT / "usage", ROOT / "sender.lock"]
with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
    process.stdout.readline()
    ci.profile(flush_interval=0.02); train(500); ci.flush(); ci.health(); train(500); ci.shutdown()
print("trained")
"""


def stop_our_threads(stage: Stage, pid: int) -> Callable[[], None]:
    """Make every thread but the program's own stand still for the rest of its life."""
    threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir() if int(path.name) != pid]
    for thread in threads:
        debugger.attach(thread)

    def bury_them() -> None:
        for thread in threads:
            debugger.bury(thread)

    return bury_them


def _says_spool_only(found: Found) -> Iterator[str]:
    if not found.health.get("degraded"):
        yield "health() does not say that the session is in spool-only mode"


FAULTS = [
    Fault(
        "the writer thread dies",
        "an exception from outside, once",
        KILL_THREAD + "ci.profile(flush_interval=0.02); train(300)\n"
        "kill_thread('cirron-writer')\n"
        "until(lambda: threads('cirron-writer')); train(300); print('trained')\n",
        (r"writer thread",),
        steps=400_000,
        lanes=1,
    ),
    Fault(
        "the writer thread dies again and again",
        "an exception from outside, three times",
        KILL_THREAD + "ci.profile(flush_interval=0.02); train(300)\n"
        "for _ in range(3):\n"
        "    until(lambda: threads('cirron-writer'))\n"
        "    kill_thread('cirron-writer')\n"
        "until(lambda: ci.health()['degraded']); train(300); ci.flush(); print('trained')\n",
        (r"is replaced", r"spool only.*spool flush"),
        check=_says_spool_only,
        steps=400_000,
        lanes=1,
    ),
    Fault(
        "our threads hang",
        "a debugger stops each of them for good",
        "ci.profile(flush_interval=0.02); train(300); moment('hang')\ntrain(600); print('trained')\n",
        (r"stay in its journal",),
        at={"hang": stop_our_threads},
    ),
    Fault(
        "locks held by somebody who sleeps",
        "`flock` of `usage` and `sender.lock` by another process",
        LOCKS,
    ),
    Fault(
        "no threads to be had",
        "`RLIMIT_AS` too small for their stacks",
        "import threading\n"
        "ci.profile(); ci.shutdown()\n"
        "threading.stack_size(1 << 30)\n"
        "limit('AS', int(Path('/proc/self/statm').read_text().split()[0]) * 4096 + (256 << 20))\n"
        "ci.profile(); train(500); ci.flush(); train(500); print('trained')\n",
        (r"thread",),
        ended=("completed",) * 2,
    ),
    Fault(
        "all descriptors closed",
        "`os.close` of everything from 3 on, as daemons do",
        CLOSE_ALL + "ci.profile(flush_interval=0.02); train(300); ci.flush()\n"
        "close_all()\n"
        "train(300); ci.flush(); train(300); print('trained')\n",
        perhaps=(r"journal",),
    ),
    Fault(
        "all descriptors closed, and a reader comes",
        "the same, and another process recovers what looks dead",
        CLOSE_ALL + "ci.profile(flush_interval=3600); train(300); ci.flush()\n"
        "close_all()\n"
        "train(300)\n"
        "reader = 'import cirron.spool, sys; cirron.spool.seal_dead_journals(sys.argv[1])'\n"
        "subprocess.run([sys.executable, '-c', reader, ROOT] if ci.health() else ['true'], check=True)\n"
        "train(300); ci.flush(); train(300); print('trained')\n",
        perhaps=(r"journal",),
    ),
    Fault(
        "descriptors closed, and their numbers in use again",
        "the same, and the program opens files of its own",
        CLOSE_ALL + "ci.profile(flush_interval=0.02); train(300); ci.flush()\n"
        "close_all()\n"
        "mine = [open('mine', 'a') for _ in range(20)]\n"
        "train(300); ci.flush(); ci.shutdown()\n"
        "for file in mine: print('still mine', file=file, flush=True)\n"
        "print(open('mine').read())\n",
        perhaps=(r"journal",),
    ),
    Fault(
        "a program that becomes a daemon",
        "two forks, of which the parents exit at once",
        DAEMONIZE + "ci.profile(flush_interval=0.02); train(300); ci.flush()\n"
        "daemonize()\n"
        "train(300, lane=1)\n",
        launcher=with_descendants,
        ended=("completed", "killed"),
    ),
    Fault(
        "two instances in one folder",
        "`Cirron()` beside `profile()`",
        "ci.profile(flush_interval=0.02)\n"
        "other = ci.Cirron(flush_interval=0.02); other.profile()\n"
        "for _ in range(200):\n"
        "    train(1)\n"
        "    with other.scope('other'): other.mark('other', 1)\n"
        "other.shutdown(); train(100); print('trained')\n",
        ended=("completed", "completed"),
    ),
]
