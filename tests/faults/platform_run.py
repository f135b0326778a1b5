"""Inside a platform run batches go to standard output, which has a life of its own."""

from __future__ import annotations

from collections.abc import Iterator

from faults.fault import Fault, Found, Stage

RUN = {"CIRRON_RUN_ID": "run-7"}

TRAIN = "ci.profile(flush_interval=0.02); train(500); ci.flush(); train(500); print('trained')\n"

PRINT = """
import threading
def chat(lane):
    for number in range(100):
        train(2, lane)
        sys.stdout.write(f"a line of lane {lane}, ")
        sys.stdout.write(f"number {number}\\n")
threads = [threading.Thread(target=chat, args=(lane,)) for lane in range(LANES)]
ci.profile(flush_interval=0.02)
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

READER_GONE = """
import select
print("started", flush=True)
poll = select.poll(); poll.register(1, 0)
poll.poll()  # until the reader is gone
"""


def piped_into(reader: str) -> object:
    """Standard output is a pipe; the exit code is the program's if that is not 0."""

    def launcher(stage: Stage) -> list[str]:
        return ["bash", "-o", "pipefail", "-c", f'"$@" | {reader}', "bash"]

    return launcher


def _is_event_stream(found: Found) -> Iterator[str]:
    if found.health.get("transport") != "event_stream":
        yield f"health() says that the transport is {found.health.get('transport')}"


def _everything_is_printed(found: Found) -> Iterator[str]:
    yield from _is_event_stream(found)
    if len(found.ran.events) != len(found.batches):
        yield f"{len(found.ran.events)} of {len(found.batches)} batches are on standard output"


def _fault(name: str, cause: str, program: str, *warnings: str, **options: object) -> Fault:
    return Fault(name, cause, program, warnings, **{"environ": RUN, "check": _is_event_stream, **options})


FAULTS = [
    _fault("a platform run", "for comparison: `CIRRON_RUN_ID`", TRAIN, check=_everything_is_printed),
    _fault(
        "a program that prints halves of lines",
        "between the events",
        PRINT.replace("LANES", "1"),
        check=_everything_is_printed,
    ),
    _fault(
        "standard output that nobody reads any more",
        "`| head -1`",
        READER_GONE + TRAIN.replace("print('trained')", ""),
        r"standard output",
        launcher=piped_into("head -1"),
    ),
    _fault(
        "standard output that is read late",
        "a reader that sleeps for two seconds, and a full pipe",
        "ci.profile(flush_interval=0.02); train(2000); ci.flush(); train(500)\n",
        launcher=piped_into("{ sleep 2; cat; }"),
    ),
    _fault(
        "standard output closed by the program",
        "`sys.stdout.close()`",
        "ci.profile(flush_interval=0.02); train(500); ci.flush(); sys.stdout.close(); train(500)\n",
        r"standard output",
    ),
    _fault(
        "standard output redirected by the program",
        "`os.dup2` over descriptor 1",
        "ci.profile(flush_interval=0.02); train(500); ci.flush()\n"
        "log = open('log', 'w'); os.dup2(log.fileno(), 1)\n"
        "train(500); ci.flush(); ci.shutdown(); print('mine', flush=True)\n"
        "print(open('log').read(), file=sys.stderr)\n",
        r"standard output",
    ),
]
