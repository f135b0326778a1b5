"""The benchmark runs and fills its table; what the numbers are is not a test's business."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

LABELS = """
    `with scope("forward")`
    `scope("step", index=i)`
    `scope("forward", split="train")`
    `scope(f"layer{i}")`, f-string included
    three nested scopes
    scope object held, `with s:`
    `mark("loss", 0.5)`
    `mark("loss", 0.5, step=i)`
    `for x in batches(...)`, per item
    `for x in epochs(...)`, per item
    scope, `enabled=False`
    mark, `enabled=False`
    uncontended `with lock:`
    empty Python context manager
    OpenTelemetry `start_as_current_span`, batch processor, null exporter
    the same with one attribute
    `nvtx.annotate`, no tool attached
    `torch.profiler.record_function`, profiler off
    scope, ns
    mark, ns
    records dropped (counted)
    `import cirron` over a bare interpreter
    idle `ci.profile()` over `import cirron`, resident
    idle `ci.profile()` over bare Python, resident
    first scope of a thread, resident
    drain, a span and its overhead mark
    drain, a record of these two
    their bytes, only written to a file
    drain, the same with an attribute
    drain, a mark
    its bytes, only written to a file
    drain, spans a second
    Python loop while 200k spans/s are drained
    spans/s reached there
    Python loop while another thread records 200k spans/s
    spans/s reached there
    the same, the thread only takes a lock
    Python loop while 20k spans/s are kept in the spool
    the same, sent to a server that accepts them
    the same, the server answers 500
    the same, the server hangs
    training step in NumPy, plain
    training step, 5 scopes and a mark recorded
    overhead of recording it
"""

OTHERS = ("OpenTelemetry", "the same with one attribute", "`nvtx", "`torch")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "benchmarks", "--quick", "--ours", "--output", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return folder


def test_the_table_has_every_row(output: Path) -> None:
    assert [line[0] for line in _lines(output)] == [label.strip() for label in LABELS.strip().splitlines()]


def test_every_row_of_ours_holds_a_number(output: Path) -> None:
    ours = [line for line in _lines(output) if not line[0].startswith(OTHERS)]

    assert [line[0] for line in ours if not any(character.isdigit() for character in line[1])] == []


def test_the_raw_medians_are_written_beside_the_table(output: Path) -> None:
    raw = json.loads((output / "cost.json").read_text())

    assert sorted(raw) == ["machine", "medians", "samples", "settings"]
    assert sorted(raw["medians"]) == [
        "delivery",
        "drain",
        "import",
        "memory",
        "operations",
        "slowdown",
        "sustained",
        "train",
    ]


def test_nothing_is_left_in_the_output_folder_but_the_two_files(output: Path) -> None:
    assert sorted(path.name for path in output.iterdir()) == ["cost.json", "cost.md"]


def _lines(output: Path) -> list[list[str]]:
    """The cells of the table's lines, without headers and rules."""
    grids = [block.splitlines()[2:] for block in (output / "cost.md").read_text().split("\n\n")[1:]]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for grid in grids for line in grid]
