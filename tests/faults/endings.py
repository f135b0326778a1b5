"""The ends that a program can come to."""

import os
import random
import signal
import threading
from collections.abc import Iterator

from faults.fault import Act, Fault, Found

MANY = 400_000  # steps, more than a program does before the signal arrives

TRAIN = """
ci.profile()
train(300)
print("trained", flush=True)
"""

TRAIN_UNTIL_KILLED = """
ci.profile()
train(300)
moment("training")
train_on()
"""


def send(signum: int) -> Act:
    """A signal to the process that reached the moment."""
    return lambda stage, pid: os.kill(pid, signum)


def send_soon(signum: int, to_group: bool = False) -> Act:
    """The same at a random moment a little later, to the process or to all of its group."""
    kill = os.killpg if to_group else os.kill
    return lambda stage, pid: threading.Timer(random.uniform(0, 0.02), kill, (pid, signum)).start()


def _journal_is_gone(found: Found) -> Iterator[str]:
    if found.health.get("enabled"):
        yield "health() says that the session still records"


def _killed_from_outside(name: str, signum: int, ended: str, **options: object) -> Fault:
    return Fault(
        name,
        f"{signal.Signals(signum).name} while it trains",
        TRAIN_UNTIL_KILLED,
        at={"training": send_soon(signum)},
        ended=(ended,),
        lanes=1,
        steps=MANY,
        **options,
    )


FAULTS = [
    Fault("normal end", "the last line", TRAIN, check=_journal_is_gone),
    Fault("sys.exit", "`sys.exit(3)`", TRAIN + "sys.exit(3)\n"),
    Fault(
        "unhandled exception",
        "`raise` inside a scope",
        TRAIN + "with ci.scope('bad'): raise ValueError('bad batch')\n",
        ended=("exception: ValueError",),
    ),
    Fault("os._exit", "`os._exit(4)`", TRAIN + "keep_health(); os._exit(4)\n", ended=("killed",)),
    Fault("abort", "`os.abort()`", TRAIN + "os.abort()\n", ended=("killed",)),
    _killed_from_outside("SIGTERM", signal.SIGTERM, "signal: SIGTERM"),
    _killed_from_outside("SIGKILL", signal.SIGKILL, "killed"),
    _killed_from_outside("SIGHUP", signal.SIGHUP, "killed"),
    _killed_from_outside("Ctrl-C", signal.SIGINT, "signal: SIGINT", doubtful=True),
    Fault(
        "Ctrl-C that the program survives",
        "SIGINT, caught as `KeyboardInterrupt`",
        "ci.profile()\n"
        "try:\n"
        "    train(300); moment('training')\n"
        "    while True: train(1)\n"
        "except KeyboardInterrupt: print('caught')\n"
        "train(300)\n",
        at={"training": send_soon(signal.SIGINT)},
        lanes=1,
        steps=MANY,
    ),
    Fault(
        "SIGTERM with the program's own handler",
        "a handler from before `profile()` that exits with 7",
        "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n" + TRAIN_UNTIL_KILLED,
        at={"training": send_soon(signal.SIGTERM)},
        ended=("signal: SIGTERM",),
        lanes=1,
        steps=MANY,
    ),
    Fault(
        "SIGTERM with a handler that returns",
        "a handler that asks the loop to end",
        "import signal\n"
        "asked = []\n"
        "signal.signal(signal.SIGTERM, lambda *_: asked.append(1))\n"
        "ci.profile()\n"
        "moment('training')\n"
        "while not asked: train(1)\n"
        "train(100); print('saved')\n",
        at={"training": send_soon(signal.SIGTERM)},
        lanes=1,
        steps=MANY,
    ),
    Fault(
        "SIGTERM with a handler from after profile()",
        "a handler over ours that exits with 5",
        "import signal\n"
        "ci.profile()\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "train(300); moment('training'); train_on()\n",
        at={"training": send_soon(signal.SIGTERM)},
        lanes=1,
        steps=MANY,
    ),
    Fault(
        "SIGTERM that is ignored",
        "`SIG_IGN` before `profile()`",
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "ci.profile(); train(100); moment('training'); train(300); print('done')\n",
        at={"training": send(signal.SIGTERM)},
    ),
    Fault(
        "SIGTERM, profiled from another thread",
        "`profile()` off the main thread",
        "import threading\n"
        "thread = threading.Thread(target=ci.profile); thread.start(); thread.join()\n"
        "train(300); moment('training'); train_on()\n",
        at={"training": send_soon(signal.SIGTERM)},
        ended=("signal: SIGTERM",),
        lanes=1,
        steps=MANY,
    ),
    Fault(
        "os.execv",
        "the process becomes another program",
        TRAIN + "os.execv(sys.executable, [sys.executable, '-c', 'print(\"another\")'])\n",
        ended=("killed",),
    ),
    Fault(
        "os.execv of itself",
        "the program starts itself over and records again",
        "again = len(sys.argv) > 1\n"
        "ci.profile(); train(200, lane=int(again)); print(again, flush=True)\n"
        "if not again: os.execv(sys.executable, [sys.executable, '-P', 'program.py', 'again'])\n",
        ended=("completed", "killed"),
    ),
    Fault(
        "daemon threads at teardown",
        "three threads train on while the interpreter ends",
        "import threading\n"
        "ci.profile()\n"
        "atexit.register(close_the_books)\n"
        "for lane in (1, 2, 3): threading.Thread(target=train_on, args=(lane,), daemon=True).start()\n"
        "train(300); print('trained')\n",
        steps=MANY,
    ),
    Fault(
        "shutdown() from eight threads at once",
        "a barrier",
        "import threading\n"
        "ci.profile(); train(300)\n"
        "barrier = threading.Barrier(8)\n"
        "def end(): barrier.wait(); ci.shutdown()\n"
        "threads = [threading.Thread(target=end) for _ in range(8)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "print('over')\n",
    ),
    Fault(
        "a hundred sessions in turn",
        "`shutdown()`, then `profile()`",
        "def held(): return [len(os.listdir('/proc/self/' + kind)) for kind in ('fd', 'task')]\n"
        "ci.profile(); train(10); ci.shutdown(); before = held()\n"
        "for _ in range(99): ci.profile(); train(10); ci.shutdown()\n"
        "print([now - was for now, was in zip(held(), before)])\n",
        ended=("completed",) * 100,
    ),
]
