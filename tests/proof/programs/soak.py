"""Records at a high rate for a given time while its spool is consumed: `soak.py ROOT SECONDS`.

Prints one JSON line a sample: what the process holds. The first third of the time is for warming up: by its end
all names that the recorder remembers are in use, and every buffer has its size.
"""

import asyncio
import itertools
import json
import sys
import threading
import time
from pathlib import Path

import cirron as ci
from cirron.spool import list_files

NAMES = 70_000  # more than the recorder's table of names has room for
SAMPLES = 30


def record_steadily(lane, stop):
    names = itertools.cycle(f"name-{lane}-{number}" for number in range(1000))
    for step in itertools.count():
        if stop.is_set():
            return
        with ci.scope("step", step, lane=lane, phase="train"):
            ci.mark("loss", step * 0.5, split="train", lane=lane)
            with ci.scope(next(names)):
                ci.mark("note", "a text of some length")
        if step % 1000 == 0:
            time.sleep(0.002)


def record_in_short_threads(stop):
    def work():
        for step in range(10):
            with ci.scope("short", step):
                ci.mark("step", step)

    while not stop.is_set():
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


async def record_in_tasks(stop):
    async def work(number):
        with ci.scope("task", number):
            await asyncio.sleep(0)
            ci.mark("number", number)

    while not stop.is_set():
        await asyncio.gather(*(work(number) for number in range(50)))
        await asyncio.sleep(0.001)


def consume(root, stop):
    """What a sender does, without the sending."""
    while not stop.wait(0.05):
        for file in list_files(root):
            file.path.unlink()


def use_up_the_names():
    for number in range(NAMES):
        ci.mark(f"name {number}", number)
    ci.flush()


def held(root):
    """What the process has of each thing that must not grow."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    journals = list((root / "journal").iterdir())
    return {
        "anonymous_bytes": int(status["RssAnon"].split()[0]) * 1024,
        "journal_bytes": sum(path.stat().st_size for path in journals),
        "threads": threading.active_count(),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "mappings": len(Path("/proc/self/maps").read_text().splitlines()),
    }


def main():
    root, seconds = Path(sys.argv[1]), float(sys.argv[2])
    ci.profile({"flush_interval": 0.1}, path=root)
    use_up_the_names()
    stop = threading.Event()
    threads = [threading.Thread(target=record_steadily, args=(lane, stop)) for lane in range(2)]
    threads += [
        threading.Thread(target=record_in_short_threads, args=(stop,)),
        threading.Thread(target=lambda: asyncio.run(record_in_tasks(stop))),
        threading.Thread(target=consume, args=(root, stop)),
    ]
    for thread in threads:
        thread.start()
    for _ in range(SAMPLES):
        time.sleep(seconds / SAMPLES)
        print(json.dumps(held(root)), flush=True)
    stop.set()
    for thread in threads:
        thread.join()
    ci.shutdown()


main()
