"""The benchmark of reading runs and fills its table; what the numbers are is not a test's business."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reading import table
from benchmarks.reading.commands import Command
from benchmarks.reading.spools import LARGE, MANY, NONE, SMALL, Spool
from benchmarks.reading.usage import CommandError, Usage, measure
from cirron.export import FORMATS

ROOT = Path(__file__).parent.parent.parent

COMMANDS = [
    "`cirron --help`",
    "`cirron traces view`, small spool",
    "`cirron spool inspect`, many files",
    "`cirron spool inspect --json`, many files",
    "`cirron traces list`",
    "`cirron traces view`",
    "`cirron traces view --flat`",
    *(f"`cirron traces export --format {name}`" for name in FORMATS),
]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reading")
    command = [sys.executable, "-m", "benchmarks.reading", "--quick", "--output", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return folder


def test_the_table_has_a_row_for_every_command(output: Path) -> None:
    assert [row[0] for row in _rows((output / "reading.md").read_text())] == COMMANDS


def test_every_row_tells_time_and_memory(output: Path) -> None:
    for _, seconds, cpu_seconds, _, peak_megabytes, _ in _rows((output / "reading.md").read_text()):
        assert float(seconds) > 0
        assert float(cpu_seconds) > 0
        assert float(peak_megabytes) > 0


def test_the_samples_are_written_beside_the_table(output: Path) -> None:
    raw = json.loads((output / "reading.json").read_text())

    assert sorted(raw) == ["machine", "samples"]
    assert list(raw["samples"]) == COMMANDS


def test_nothing_is_left_in_the_output_folder_but_the_two_files(output: Path) -> None:
    assert sorted(path.name for path in output.iterdir()) == ["reading.json", "reading.md"]


def test_a_text_that_no_command_contains_is_answered_with_the_commands() -> None:
    command = [sys.executable, "-m", "benchmarks.reading", "--only", "traces fly"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert "no command contains 'traces fly'; there are\n`cirron --help`\n" in ran.stderr


def test_a_rate_is_told_of_the_large_spool_and_held_against_its_target(tmp_path: Path) -> None:
    command = Command(("traces", "view", "--flat"), LARGE, least_spans_per_s=250_000, most_megabytes=1000)

    told = _table({command: Usage(wall_s=20.0, cpu_s=19.5, peak_megabytes=1100.0)}, tmp_path)

    assert _rows(told) == [
        [
            "`cirron traces view --flat`", "20.00", "19.50", "250,000", "1,100",
            "spans/s ≥ 250000 met; MB ≤ 1000 missed by 10 %",
        ]
    ]  # fmt: skip


def test_a_command_that_reads_no_spans_has_no_rate(tmp_path: Path) -> None:
    told = _table({Command(("spool", "inspect"), MANY, most_s=2): Usage(1.5, 1.5, 90.0)}, tmp_path)

    assert _rows(told) == [["`cirron spool inspect`, many files", "1.50", "1.50", "", "90", "s ≤ 2 met"]]


def test_a_command_that_fails_stops_the_benchmark_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"(?s)ended with 1:.*no spool at nowhere"):
        measure(Command(("traces", "list", "--spool", "nowhere"), NONE), tmp_path)


def _table(medians: dict[Command, Usage], folder: Path) -> str:
    spools = {
        name: Spool(folder, spans=5_000_000, marks=6_000_000, files=500, size_bytes=2_400_000_000)
        for name in (NONE, SMALL, LARGE, MANY)
    }
    machine = {"cpu": "CPU", "cores": "2", "python": "CPython 3.11", "date": "2026-11-21", "load": "0.10"}
    return table.markdown(medians, spools, machine, rounds=3)


def _rows(report: str) -> list[list[str]]:
    """The cells of the table's lines, without header and rule."""
    lines = [line for line in report.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
