"""Runs worker processes side by side and reduces their samples to medians."""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

Samples = dict[str, dict[str, list[float]]]
"""Worker name to case name to one number a round."""

Medians = dict[str, dict[str, float]]


class WorkerError(Exception):
    """A measuring process ended before it answered; the message carries the end of its log."""


class Worker:
    """One measuring process, idle between its rounds.

    Args:
        python: interpreter whose installed `cirron` is measured.
        suite: a name in `benchmarks.suites.SUITES`.
        size: `full` or `quick`.
        folder: working directory; the process records below it.
    """

    def __init__(self, python: str, suite: str, size: str, folder: Path) -> None:
        self._log = folder / "worker.log"
        self._name = f"{suite} ({python})"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [python, "-m", "benchmarks.worker", suite, size],
                cwd=folder,
                env=environment(folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def round(self) -> dict[str, float]:
        """One number for each case of the suite."""
        answer = self._ask()
        if not answer:
            self._process.wait()
            raise WorkerError(f"{self._name} ended early:\n{self._log.read_text()[-2000:]}")
        measured: dict[str, float] = json.loads(answer)
        return measured

    def _ask(self) -> str:
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):  # it ended: then its answer is empty too
            print("round", file=self._process.stdin, flush=True)
        return self._process.stdout.readline()

    def close(self) -> None:
        self._process.communicate()


def environment(home: Path) -> dict[str, str]:
    """This process's environment without anything that would point a recorder at a server."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("CIRRON_", "OTEL_"))}
    # One BLAS thread: on a small machine its pool would measure the scheduler.
    return kept | {
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A folder for one process's records, on the file system of `parent`."""
    with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def interleaved(workers: Mapping[str, tuple[str, str]], size: str, rounds: int, parent: Path) -> Samples:
    """Asks every worker for its rounds in turns, in a new random order each time, after a warm-up.

    Args:
        workers: name to (interpreter, suite).
        size: `full` or `quick`.
        rounds: samples to take of each case.
        parent: folder below which the workers record.
    """
    samples: Samples = {name: defaultdict(list) for name in workers}
    with ExitStack() as stack:
        running = {}
        for name, (python, suite) in workers.items():
            running[name] = Worker(python, suite, size, stack.enter_context(scratch(parent)))
            stack.callback(running[name].close)
        for worker in running.values():
            worker.round()
        for done in range(rounds):
            progress(f"{', '.join(workers)}: round {done + 1} of {rounds}")
            for name in random.sample(list(running), len(running)):
                for case, number in running[name].round().items():
                    samples[name][case].append(number)
    return samples


def medians(samples: Samples) -> Medians:
    return {
        name: {case: statistics.median(numbers) for case, numbers in cases.items()}
        for name, cases in samples.items()
    }


def progress(message: str) -> None:
    """Tells a person at a terminal what is being measured."""
    if sys.stderr.isatty():
        print(f"\r\033[K{message}", end="", file=sys.stderr, flush=True)
