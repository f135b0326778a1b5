"""The benchmark of `ci.inference` runs and fills its table; what the numbers are is not a test's business."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_every_row_holds_a_number(tmp_path):
    command = [sys.executable, "-m", "benchmarks.inference", "--quick", "--ours", "--output", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    rows = [line.split("|")[1:] for line in ran.stdout.splitlines() if line.startswith("| ")][2:]
    assert [row[0].strip() for row in rows] == [
        "function",
        "coroutine",
        "coroutine that waits once",
        "generator, for 8 items",
        "request that `sample_rate=0` leaves out",
        "function, no session",
    ]
    assert all(any(character.isdigit() for character in row[1]) for row in rows)
