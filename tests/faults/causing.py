"""Causes faults, in programs beside their references, and settles their accounts."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from faults.fault import Fault, Outcome, Stage
from faults.running import run
from faults.settle import settle

AT_ONCE = 2 * (os.cpu_count() or 1)  # many wait most of the time, for a server or a signal


def cause(fault: Fault, folder: Path) -> Outcome:
    """Run the fault's program twice in new folders below `folder`, and compare."""
    stage = Stage(folder / "recorded")
    try:
        reference = run(fault, Stage(folder / "reference"), recording=False)
        ran = run(fault, stage, recording=True)
        return settle(fault, stage, ran, reference)
    except subprocess.TimeoutExpired:
        return Outcome(fault, wrong=[f"the program hung for {fault.hung_s:g} s"])


@contextmanager
def causing(faults: Sequence[Fault], times: int = 1) -> Iterator[list[list[Future[Outcome]]]]:
    """Several faults at once, each so many times, in folders that are removed; the outcomes as they come."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            yield [[pool.submit(_cause_in_a_folder, fault) for _ in range(times)] for fault in faults]
        finally:
            pool.shutdown(cancel_futures=True)


def _cause_in_a_folder(fault: Fault) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="cirron-faults-") as folder:
        return cause(fault, Path(folder))
