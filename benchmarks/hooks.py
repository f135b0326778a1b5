"""What the hooks of frameworks cost, beside cirron-sdk's and torch.profiler.

    python -m benchmarks.hooks [--quick] [--ours] [--output FOLDER]

Each process runs every program with and without being recorded, in turns and in a random order; a round's number is
the ratio of the least times of the two. It needs torch, and has a row for Keras and transformers each where they are
installed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from benchmarks import programs, sdk
from benchmarks.driver import ROOT, Samples, interleaved
from benchmarks.rows import CIRRON, SDK
from benchmarks.table import verdict

PROFILER = "torch.profiler"
ROUNDS, TURNS, BLOCKS = 15, 2, 4
ROWS = {
    "mlp": ("two-layer MLP, batch 8, a step", 5),
    "mlp_with_loader": ("the same with a DataLoader", 5),
    "modules": ("forward of 500 trivial modules", 2),
    "keras_fit": ("Keras fit of that MLP, a step", 3),
    "trainer": ("HF Trainer of that MLP, a step", 3),
}

Recording = Callable[[], AbstractContextManager[object]]


def ratios(recording: Recording) -> Callable[[], dict[str, float]]:
    """A suite's round: for each program, the time with recording over the time without."""
    runs = programs.installed()

    def measure() -> dict[str, float]:
        return {name: _ratio(run, recording) for name, run in random.sample(list(runs.items()), len(runs))}

    return measure


def _ratio(run: programs.Program, recording: Recording) -> float:
    """Of the least times: what disturbs a block only ever makes it longer, and may last as long as a turn."""
    took: dict[bool, list[int]] = {False: [], True: []}
    for is_recorded in random.sample([False, True] * TURNS, 2 * TURNS):
        with ExitStack() as stack:
            if is_recorded:
                stack.enter_context(recording())
            run()  # in which the hooks find the program's classes
            took[is_recorded] += [_cpu_ns(run) for _ in range(BLOCKS)]
    return min(took[True]) / min(took[False])


def _cpu_ns(run: programs.Program) -> int:
    """Of the thread alone: on a busy machine its wall clock tells of others."""
    start_ns = time.thread_time_ns()
    run()
    return time.thread_time_ns() - start_ns


class Session(AbstractContextManager[None]):
    """A session of the `cirron` that is installed, ours or theirs."""

    def __enter__(self) -> None:
        import cirron as ci

        ci.profile(snapshots=None)

    def __exit__(self, *error: object) -> None:
        import cirron as ci

        ci.shutdown()


def torch_profiler() -> Any:
    """PyTorch's own, as its documentation begins with it."""
    from torch.profiler import ProfilerActivity, profile

    return profile(activities=[ProfilerActivity.CPU])


def main() -> None:
    options = _options()
    options.output.mkdir(parents=True, exist_ok=True)
    workers = {CIRRON: (sys.executable, "hooks_of_frameworks"), PROFILER: (sys.executable, "hooks_profiler")}
    if not options.ours:
        workers[SDK] = (sdk.python_beside(options.output / "sdk-hooks-env"), "hooks_of_frameworks")
    samples = interleaved(workers, "quick", 1 if options.quick else ROUNDS, options.output)
    print(_table(samples))


def _table(samples: Samples) -> str:
    lines = [
        f"  {'':34} {'':>12} {'target':16}" + "".join(f" {name:>14}" for name in samples if name != CIRRON)
    ]
    for case, (label, most) in ROWS.items():
        medians = {
            name: statistics.median(each[case]) if case in each else None for name, each in samples.items()
        }
        others = "".join(f" {_percent(value):>14}" for name, value in medians.items() if name != CIRRON)
        lines.append(
            f"  {label:34} {_percent(medians[CIRRON]):>12} {_verdict(medians[CIRRON], most):16}{others}"
        )
    return "\n".join(lines)


def _verdict(ratio: float | None, most_percent: float) -> str:
    return verdict(None if ratio is None else (ratio - 1) * 100, most_percent)


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{(ratio - 1) * 100:+.1f} %"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hooks", description="What hooks cost.")
    parser.add_argument(
        "--quick", action="store_true", help="one round: does it run, not what are the numbers"
    )
    parser.add_argument("--ours", action="store_true", help="without cirron-sdk; installs nothing")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "build" / "bench", help="folder for the records"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
