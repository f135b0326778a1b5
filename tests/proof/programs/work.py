"""Records steps in threads and tasks, and tells a witness after each call: `work.py ROOT WITNESS OPTIONS`.

OPTIONS is a JSON object with the keys of `DEFAULTS`. Prints `ready` before the first step. Without `steps` it
goes on until it is killed; with them it shuts down, and prints what `health()` says in the end.
"""

import asyncio
import itertools
import json
import sys
import threading
from pathlib import Path

from witness import BEGUN, CLOSED, FIELDS, INNER, INNER_EVERY, LANES, MARKED, OPENED, numbers

import cirron as ci

DEFAULTS = {
    "threads": 1,
    "tasks": 0,
    "churn": False,  # threads of 20 steps each, one after the other, on the lanes after the others
    "steps": None,
    "effort": 2000,  # additions a step, so that a program does not only record
    "flushing": False,  # one more thread calls flush() all the time
    "switch_interval": None,
    "config": {},
}


def record(seen, lane, step, effort):
    """One step: a scope with a mark in it, and now and then a scope of a new name."""
    at = lane * FIELDS
    text = f"{lane}/{step}"
    seen[at + BEGUN] = step + 1
    with ci.scope(f"step-{lane}", step, text=text):
        seen[at + OPENED] = step + 1
        sum(range(effort))
        ci.mark(f"loss-{lane}", step, text=text)
        seen[at + MARKED] = step + 1
        if step % INNER_EVERY == 0:
            with ci.scope(f"inner-{text}", step):
                pass
            seen[at + INNER] = step + 1
    seen[at + CLOSED] = step + 1


async def record_in_task(seen, lane, step):
    """The same, giving way to the other tasks while the scope is open."""
    at = lane * FIELDS
    text = f"{lane}/{step}"
    seen[at + BEGUN] = step + 1
    with ci.scope(f"step-{lane}", step, text=text):
        seen[at + OPENED] = step + 1
        await asyncio.sleep(0)
        ci.mark(f"loss-{lane}", step, text=text)
        seen[at + MARKED] = step + 1
        await asyncio.sleep(0)
    seen[at + CLOSED] = step + 1


def steps_of(options):
    return itertools.count() if options["steps"] is None else range(options["steps"])


def run_lane(seen, lane, options):
    for step in steps_of(options):
        record(seen, lane, step, options["effort"])


async def run_tasks(seen, lanes, options):
    async def run_task(lane):
        for step in steps_of(options):
            await record_in_task(seen, lane, step)

    await asyncio.gather(*(run_task(lane) for lane in lanes))


def run_short_threads(seen, lanes):
    for lane in lanes:
        thread = threading.Thread(target=run_lane, args=(seen, lane, {"steps": 20, "effort": 0}))
        thread.start()
        thread.join()


def flush_for_ever():
    while True:
        ci.flush()


def workers(seen, options):
    """One thread for each lane, one for all tasks, one that starts the short-lived threads."""
    task_lanes = range(options["threads"], options["threads"] + options["tasks"])
    for lane in range(options["threads"]):
        yield threading.Thread(target=run_lane, args=(seen, lane, options))
    if options["tasks"]:
        yield threading.Thread(target=lambda: asyncio.run(run_tasks(seen, task_lanes, options)))
    if options["churn"]:
        yield threading.Thread(target=run_short_threads, args=(seen, range(task_lanes.stop, LANES)))


def main():
    root, witness, given = sys.argv[1:]
    options = DEFAULTS | json.loads(given)
    if options["switch_interval"]:
        sys.setswitchinterval(options["switch_interval"])
    seen = numbers(Path(witness))
    ci.profile(options["config"], path=root)
    print("ready", flush=True)
    if options["flushing"]:
        threading.Thread(target=flush_for_ever, daemon=True).start()
    threads = list(workers(seen, options))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ci.shutdown()
    print(json.dumps(ci.health()))


main()
