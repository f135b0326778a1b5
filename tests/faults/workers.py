"""Processes that a recording process makes."""

import signal
from collections.abc import Iterator

from faults.endings import send_soon
from faults.fault import Fault, Found
from faults.launchers import with_descendants

FORK = """
import threading
ci.profile()
stop = threading.Event()
def work(lane):
    while not stop.is_set(): train(1, lane)
threads = [threading.Thread(target=work, args=(lane,)) for lane in (2, 3)]
for thread in threads: thread.start()
train(200)
child = os.fork()
if child == 0:
    train(200, lane=1)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
train(200)
"""

PROCESSES = """
import multiprocessing
def work(lane):
    train(100, lane)
if __name__ == "__main__":
    ci.profile()
    context = multiprocessing.get_context({method!r})
    children = [context.Process(target=work, args=(lane,)) for lane in (1, 2, 3)]
    for child in children: child.start()
    train(200)
    for child in children: child.join()
    print([child.exitcode for child in children])
"""

POOL = """
import multiprocessing
def work(lane):
    train(50, lane)
    return lane
if __name__ == "__main__":
    ci.profile()
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(sorted(pool.imap_unordered(work, range(1, 8))))
    train(100)
"""

FAILING = """
import multiprocessing, signal
def work(lane):
    train(100, lane)
    if lane == 1: os.kill(os.getpid(), signal.SIGKILL)
    if lane == 2: sys.exit(6)
    if lane == 3: os.kill(os.getpid(), signal.SIGTERM)
if __name__ == "__main__":
    ci.profile()
    context = multiprocessing.get_context({method!r})
    children = [context.Process(target=work, args=(lane,)) for lane in (1, 2, 3)]
    for child in children: child.start()
    for child in children: child.join()
    train(100)
    print([child.exitcode for child in children])
"""

GROUP = """
import multiprocessing
def work(lane):
    train(50, lane)
    ready.wait()
    train_on(lane)
ready = multiprocessing.Barrier(3)
ci.profile()
children = [multiprocessing.Process(target=work, args=(lane,)) for lane in (1, 2)]
for child in children: child.start()
ready.wait()
moment("training")
train_on()
"""

RANKS = """
import subprocess
if len(sys.argv) == 1:
    ranks = [
        subprocess.Popen(
            [sys.executable, "-P", "program.py", str(rank)],
            env={**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "4"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for rank in range(4)
    ]
    for rank in ranks: rank.stdout.readline()  # all have trained
    for rank in ranks: rank.stdin.close()  # and now all end
    print([rank.wait() for rank in ranks])
    os._exit(0)
ci.profile(CONFIG, flush_interval=0.01)
for _ in range(40):
    train(50, lane=int(sys.argv[1]))
    ci.flush()
print("trained", flush=True)
sys.stdin.read()
"""


def _are_linked(found: Found) -> Iterator[str]:
    """Workers have names and the session of their parent."""
    sessions = {batch["session_id"]: batch for batch in found.batches}
    parents = [name for name, batch in sessions.items() if batch.get("worker") is None]
    if len(parents) != 1:
        yield f"{len(parents)} sessions are no worker's"
    for batch in sessions.values():
        if batch.get("worker") is not None and batch.get("parent_session_id") not in parents:
            yield f"worker {batch['worker']} has the parent {batch.get('parent_session_id')}"


def _ranks_are_told(found: Found) -> Iterator[str]:
    ranks = {(batch["rank"], batch["world_size"]) for batch in found.batches}
    if ranks != {(rank, 4) for rank in range(4)}:
        yield f"the batches are of the ranks {sorted(ranks)}"


def _cap_was_at_work(found: Found) -> Iterator[str]:
    dropped = sum(health["spool_drop_count"] for health in found.ran.healths.values())
    if not dropped:
        yield "the cap removed nothing"


def _by_method(name: str, cause: str, program: str, ended: tuple[str, ...], **options: object) -> list[Fault]:
    return [
        Fault(
            f"{name} ({method})",
            cause,
            program.format(method=method),
            ended=ended,
            check=_are_linked,
            **{"lanes": 8, **options},
        )
        for method in ("fork", "spawn", "forkserver")
    ]


FAULTS = [
    Fault(
        "os.fork in a threaded program",
        "a child that trains and leaves by `os._exit`",
        FORK,
        ended=("completed", "killed"),
        check=_are_linked,
        steps=100_000,
    ),
    Fault(
        "os.fork with warnings as errors",
        "`python -W error`, and a program with one thread of its own",
        "ci.profile(); train(200)\n"
        "child = os.fork()\n"
        "if child == 0: train(200, lane=1); os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "train(200); print('trained')\n",
        ended=("completed", "killed"),
        check=_are_linked,
        options=("-W", "error"),
    ),
    *_by_method("worker processes", "`multiprocessing.Process`", PROCESSES, ("completed",) * 4),
    *_by_method(
        "workers that fail",
        "SIGKILL, `sys.exit(6)`, SIGTERM",
        FAILING,
        ("completed", "completed", "killed", "signal: SIGTERM"),
    ),
    Fault(
        "SIGTERM to a whole process group",
        "a parent and two workers, as Slurm ends a job",
        GROUP,
        at={"training": send_soon(signal.SIGTERM, to_group=True)},
        ended=("signal: SIGTERM",) * 3,
        check=_are_linked,
        launcher=with_descendants,
        lanes=3,
        steps=400_000,
    ),
    Fault(
        "ranks that share a spool",
        "four processes with `RANK`",
        RANKS.replace("CONFIG", "{}"),
        ended=("completed",) * 4,
        check=_ranks_are_told,
    ),
    Fault(
        "ranks that share a spool with a cap",
        "four processes, `spool_max_bytes` of 1 MiB",
        RANKS.replace("CONFIG", "{'spool_max_bytes': 1 << 20}"),
        (r"spool_max_bytes",),
        voices=4,
        ended=("completed",) * 4,
        check=_cap_was_at_work,
        lossless=False,
    ),
]
