"""Costs that show only in a process of its own: starting up, and memory while idle."""

import random
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.driver import Samples, environment, progress, scratch

IMPORT = "import cirron"
PROFILE = "import cirron as ci; ci.profile(frameworks=[], snapshots=None); ci.flush()"
STAGES = {
    "bare": "pass",
    "import": IMPORT,
    "profile": PROFILE,
    "one scope": f"{PROFILE}\nwith ci.scope('forward'): pass\nci.flush()",
}


def start_milliseconds(pythons: Mapping[str, str], rounds: int, parent: Path) -> Samples:
    """From spawn to exit of a bare interpreter and of one that imports cirron."""
    samples: Samples = {name: {"bare": [], "import": []} for name in pythons}
    with scratch(parent) as folder:
        for done in range(-1, rounds):  # the first round writes byte code and is not counted
            progress(f"import: round {done + 1} of {rounds}")
            for name, stage in _shuffled_pairs(pythons, ("bare", "import")):
                took_ms = _start(pythons[name], STAGES[stage], folder)
                samples[name][stage] += [took_ms] if done >= 0 else []
    return samples


def resident_megabytes(pythons: Mapping[str, str], rounds: int, parent: Path) -> Samples:
    """Resident memory of an idle process at each stage, from a bare interpreter to its first scope."""
    samples: Samples = {name: {stage: [] for stage in STAGES} for name in pythons}
    for done in range(rounds):
        progress(f"memory: round {done + 1} of {rounds}")
        for name, stage in _shuffled_pairs(pythons, STAGES):
            with scratch(parent) as folder:
                samples[name][stage].append(_idle_megabytes(pythons[name], STAGES[stage], folder))
    return samples


def _shuffled_pairs(
    pythons: Mapping[str, str], stages: Mapping[str, str] | tuple[str, ...]
) -> list[tuple[str, str]]:
    pairs = [(name, stage) for name in pythons for stage in stages]
    return random.sample(pairs, len(pairs))


def _start(python: str, code: str, folder: Path) -> float:
    start_ns = time.perf_counter_ns()
    subprocess.run([python, "-c", code], cwd=folder, env=environment(folder), check=True)
    return (time.perf_counter_ns() - start_ns) / 1e6


def _idle_megabytes(python: str, code: str, folder: Path) -> float:
    waiting = f"import sys\n{code}\nprint('ready', flush=True)\nsys.stdin.readline()"
    with subprocess.Popen(
        [python, "-c", waiting],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        megabytes = _resident_kilobytes(process.pid) / 1024
        process.communicate()
    return megabytes


def _resident_kilobytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        return next(
            int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS")
        )
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)]))
