"""What entering and leaving a phase costs, beside a lock and other recorders of phases.

`python -m benchmarks.phases [--quick]`. Each process measures a lock of its own too, in turns with the other.
"""

import argparse
import itertools
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import cases, environments
from benchmarks.driver import ROOT, interleaved, medians
from benchmarks.timing import Case

OURS, ELSEWHERE = "ours", "stormlog 0.4.3"
PACKAGE = "stormlog==0.4.3"
OUTERMOST, NESTED, PLAIN = "outermost phase", "nested phase", "lock, list and dict"


def measured() -> list[Case]:
    """One operation is an entry and its exit; `stormlog` is whichever this interpreter has."""
    from stormlog.phases.runtime import PhaseRecorder

    return [
        *cases.floors(),
        Case(PLAIN, _plain),
        Case(OUTERMOST, _pairs(PhaseRecorder())),
        Case(NESTED, _within(PhaseRecorder())),
    ]


def _pairs(recorder: object) -> Callable[[int], None]:
    def run(ops: int) -> None:
        enter, leave = recorder.enter, recorder.exit
        for _ in range(ops):
            token, _boundary = enter(session_id="session", rank=0, name="forward")
            leave(token)

    return run


def _within(recorder: object) -> Callable[[int], None]:
    recorder.enter(session_id="session", rank=0, name="train")
    return _pairs(recorder)


def _plain(ops: int) -> None:
    """The least that a recorder with one lock can do: a stack, a number and a dict at each end."""
    lock, stack, numbers = threading.Lock(), [], itertools.count()
    for _ in range(ops):
        for action in ("enter", "exit"):
            with lock:
                stack.append("forward") if action == "enter" else stack.pop()
                {"action": action, "sequence": next(numbers), "ts_ns": time.time_ns()}


def main() -> None:
    options = _options()
    options.output.mkdir(parents=True, exist_ok=True)
    pythons = {OURS: sys.executable, ELSEWHERE: environments.python(options.output / "stormlog-env", PACKAGE)}
    size = "quick" if options.quick else "full"
    workers = {name: (python, "phases_of_a_recorder") for name, python in pythons.items()}
    results = medians(interleaved(workers, size, 2 if options.quick else 31, options.output))
    for case in (PLAIN, OUTERMOST, NESTED):
        print(_line(case, results))


def _line(case: str, results: dict[str, dict[str, float]]) -> str:
    """Nanoseconds in each process, each in locks of its own, and the ratio of these."""
    ns = {name: each[case] - each[cases.EMPTY_LOOP] for name, each in results.items()}
    locks = {name: ns[name] / (each[cases.LOCK] - each[cases.EMPTY_LOOP]) for name, each in results.items()}
    shown = ", ".join(f"{name} {ns[name]:7,.0f} ns = {locks[name]:5.1f} locks" for name in results)
    return f"{case:20} {shown}; {locks[ELSEWHERE] / locks[OURS]:.1f} times cheaper"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.phases", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short samples: tries the machinery")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "build" / "bench", help="folder for the environment"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
