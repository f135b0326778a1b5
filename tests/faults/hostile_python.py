"""Python programs that make it hard for anybody else in their process."""

from __future__ import annotations

from collections.abc import Iterator

from faults.fault import Fault, Found

TRAIN = "ci.profile(flush_interval=0.02)\ntrain(500); ci.flush(); train(500); print('trained')\n"
FAILING_DISK = (
    "ci.profile(flush_interval=0.02); train(500); ci.flush()\n"
    "limit('FSIZE', 1000); train(200); ci.flush(); ci.flush(); limit('FSIZE')\n"
    "train(500); print('trained')\n"
)

RAISING_HANDLER = """
class Broken(logging.Handler):
    def emit(self, record): raise RuntimeError("this handler is broken")
logging.getLogger("cirron").addHandler(Broken())
logging.getLogger("cirron").propagate = False
"""

FLUSHING_HANDLER = """
class Flushing(logging.Handler):
    def emit(self, record): ci.mark("said", record.getMessage()); ci.flush(); ci.health()
logging.getLogger("cirron").addHandler(Flushing())
"""

SIGNALS = """
import signal
handled = 0
def handler(*_):
    global handled
    train(1, lane=1); ci.flush(); ci.health()
    handled += 1
    signal.setitimer(signal.ITIMER_REAL, 0.0001 + handled % 20 * 0.00005)
ci.profile(flush_interval=0.01)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001)
while handled < 150: train(1); ci.flush()
signal.setitimer(signal.ITIMER_REAL, 0)
print("trained")
"""

CTRL_C = """
import random, signal, threading
asked = threading.Semaphore(0)  # so that each comes inside of the `try`
def press():
    for _ in range(150):
        asked.acquire()
        time.sleep(random.uniform(0, 0.003))
        os.kill(os.getpid(), signal.SIGINT)
ci.profile(flush_interval=0.01)
threading.Thread(target=press).start()
for _ in range(150):
    try:
        asked.release()
        while True: train(1); ci.flush()
    except KeyboardInterrupt: pass
train(100); print("trained")
"""

RAISING_AUDIT = """
refusing = False
def audit(event, arguments):
    if refusing and event in ("open", "os.listdir", "os.scandir", "os.remove", "os.rename", "socket.connect"):
        raise PermissionError(f"{event} is forbidden here")
sys.addaudithook(audit)
ci.profile(flush_interval=0.02); train(300); ci.flush()
refusing = True
train(300); ci.flush(); train(300)
refusing = False
print("trained")
"""

PATCHED = """
import builtins
ci.profile(flush_interval=0.02); train(300); ci.flush()
def broken(*args, **options): raise RuntimeError("patched by the program")
names = ["open", "replace", "listdir", "scandir", "unlink", "stat", "fstat"]
kept = {name: getattr(os, name) for name in names}, builtins.open, time.time, time.monotonic
builtins.open, time.time, time.monotonic = broken, lambda: 0.0, lambda: 0.0
for name in names: setattr(os, name, broken)
train(300); ci.flush(); ci.health(); train(300); ci.flush()
for name, function in kept[0].items(): setattr(os, name, function)
_, builtins.open, time.time, time.monotonic = kept
print("trained")
"""

SUBINTERPRETER = """
try: import _interpreters as interpreters
except ImportError: import _xxsubinterpreters as interpreters
code = '''
import logging
logging.basicConfig(format="%(name)s|%(levelname)s|%(message)s")
try:
    import cirron as ci
    with ci.scope("inside"): ci.mark("inside", 1)
    ci.profile(); ci.health(); ci.shutdown()
except ImportError: pass
'''
ci.profile(flush_interval=0.02); train(300)
for _ in range(3):
    interpreter = LEGACY(interpreters)
    try: interpreters.run_string(interpreter, code)
    finally: interpreters.destroy(interpreter)
    train(100)
ci.flush(); train(300); print("trained")
""".replace(
    "LEGACY(interpreters)",
    "interpreters.create('legacy') if sys.version_info >= (3, 13) else interpreters.create(isolated=False)",
)


def _handler_is_counted(found: Found) -> Iterator[str]:
    if found.health.get("internal_errors", {}).get("logging", 0) < 1:
        yield "health() does not count the handler's errors"


FAULTS = [
    Fault(
        "a logging handler that raises",
        "on `cirron`, while writes fail",
        RAISING_HANDLER + FAILING_DISK,
        check=_handler_is_counted,
    ),
    Fault(
        "a logging handler that records",
        "and flushes, while writes fail",
        FLUSHING_HANDLER + FAILING_DISK,
        (r"could not be written.*File too large",),
        perhaps=(r"journal.*File too large",),  # the handler records in a thread that has no room in it yet
    ),
    Fault("warnings as errors", "`python -W error`", TRAIN, options=("-W", "error")),
    Fault("development mode", "`python -X dev`", TRAIN, options=("-X", "dev")),
    Fault(
        "development mode and a failing disk",
        "`python -X dev -W error`, `RLIMIT_FSIZE`",
        FAILING_DISK,
        (r"File too large",),
        options=("-X", "dev", "-W", "error"),
    ),
    Fault("no assertions or docstrings", "`python -OO`", TRAIN, options=("-OO",)),
    Fault(
        "threads switch all the time",
        "`sys.setswitchinterval(1e-6)`",
        "sys.setswitchinterval(1e-6)\n" + TRAIN,
    ),
    Fault(
        "threads never switch by themselves",
        "`sys.setswitchinterval(1000)`",
        "sys.setswitchinterval(1000)\n" + TRAIN,
    ),
    Fault(
        "a signal in every phase of flush",
        "150 SIGALRM whose handler records and flushes",
        SIGNALS,
        steps=400_000,
        lanes=2,
    ),
    Fault("Ctrl-C in every phase of flush", "150 SIGINT, each caught", CTRL_C, steps=400_000, lanes=1),
    Fault(
        "standard streams closed",
        "`os.close` of 0, 1 and 2 before `profile()`",
        "for number in (0, 1, 2): os.close(number)\n"
        + TRAIN.replace("print('trained')", "os._exit(0) if ci.shutdown() else os._exit(0)"),
    ),
    Fault(
        "standard streams gone",
        "`sys.stdout = sys.stderr = None`",
        "sys.stdout = sys.stderr = None\n" + TRAIN,
    ),
    Fault(
        "a trace function",
        "`sys.settrace` and `threading.settrace`",
        "import threading\ndef tracer(*_): return tracer\nthreading.settrace(tracer); sys.settrace(tracer)\n"
        + TRAIN,
    ),
    Fault(
        "an audit hook that refuses",
        "files may not be opened for a while",
        RAISING_AUDIT,
        (r"forbidden here",),
    ),
    Fault(
        "a patched standard library",
        "`open`, `os.open`, `os.stat` and others raise for a while, and no time passes",
        PATCHED,
        (r"accounted for: patched", r"health\(\).*patched"),
    ),
    Fault(
        "at the limit of recursion",
        "`ci.scope` and `ci.flush` where one more call is too many",
        "ci.profile()\n"
        "def down(): \n"
        "    try: down()\n"
        "    except RecursionError: pass\n"
        "    try: ci.flush(); ci.health()\n"
        "    except RecursionError: pass\n"
        "sys.setrecursionlimit(120)\n"
        "for _ in range(3): down(); train(20)\n"
        "sys.setrecursionlimit(1000)\n"
        "train(100); print('trained')\n",
    ),
    Fault(
        "collections all the time",
        "`gc.set_threshold(1, 1, 1)`",
        "import gc\ngc.set_threshold(1, 1, 1)\n" + TRAIN,
    ),
    Fault(
        "an empty environment",
        "`os.environ.clear()`",
        "os.environ.clear()\n" + TRAIN,
    ),
    Fault("files that nobody may read", "`os.umask(0o777)`", "os.umask(0o777)\n" + TRAIN),
    Fault(
        "somebody who looks at everything",
        "`repr` and `hash` of every object there is",
        "import gc\n"
        "ci.profile(flush_interval=0.02); train(300); ci.flush()\n"
        "for each in gc.get_objects():\n"
        "    with contextlib.suppress(Exception): repr(each); hash(each)\n"
        "train(300); print('trained')\n",
    ),
    Fault(
        "a subinterpreter",
        "that imports cirron and records, three times",
        SUBINTERPRETER,
        (r"no session could be started",),
        voices=3,
    ),
]
