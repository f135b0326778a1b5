"""Lets `programs/soak.py` run, and compares what it holds in the last third of its time with the third before."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from proof.kill import PROGRAMS

MIB = 1024 * 1024

# What the last third may hold more than the middle one. A leak of a byte for each of the 100,000 records of a
# second exceeds it within the full minutes, one of ten bytes within the short form. The journal grows by a ring
# when more threads than ever before are between their last Python code and their end.
ALLOWED = {
    "anonymous_bytes": 4 * MIB,
    "journal_bytes": 3 * 4 * MIB + MIB // 2,
    "threads": 8,
    "descriptors": 3,
    "mappings": 20,
}

Samples = list[dict[str, int]]


def soak(seconds: float, folder: Path) -> Samples:
    """What the program held, at regular moments."""
    command = [sys.executable, PROGRAMS / "soak.py", folder / ".cirron", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def growth(samples: Samples) -> dict[str, int]:
    """By how much each thing grew from the middle third to the last."""
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[2 * third :]
    return {name: _level(last, name) - _level(middle, name) for name in ALLOWED}


def _level(samples: Samples, name: str) -> int:
    return int(median(sample[name] for sample in samples))


def too_much(samples: Samples) -> list[str]:
    """What grew by more than is allowed."""
    return [
        f"{name} grew by {grown:,}: {[sample[name] for sample in samples]}"
        for name, grown in growth(samples).items()
        if grown > ALLOWED[name]
    ]
