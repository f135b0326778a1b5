"""Timing on a machine that others use too.

Two guards keep their work out of the medians. Before each sample the gate spins for a fifth of a
millisecond and lets the sample begin only when the core was fully ours. After it, a sample whose
thread was taken off the core is thrown away and repeated.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

SPIN_NS = 200_000
SPIN_SLACK = 1.10
GATE_TRIES = 40
REPEATS = 8
MIN_CPU_SHARE = 0.97


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Case:
    """One operation, timed as `run(ops)`.

    Args:
        name: key in the results.
        run: does the operation `ops` times in its own `for` loop.
        after: tidies up after a sample, outside the timed part.
        own_threads: threads of its own are part of its cost: losing the core to one is no reason to repeat.
    """

    name: str
    run: Callable[[int], None]
    after: Callable[[], object] = _nothing
    own_threads: bool = False


def _spin(turns: int) -> int:
    start = time.perf_counter_ns()
    for _ in range(turns):
        pass
    return time.perf_counter_ns() - start


class Gate:
    """Waits until the core runs at its best speed."""

    def __init__(self) -> None:
        trial = 10_000
        self._turns = max(1, trial * SPIN_NS // min(_spin(trial) for _ in range(50)))
        self._best_ns = min(_spin(self._turns) for _ in range(50))
        self.forced = 0

    def wait(self) -> None:
        for _ in range(GATE_TRIES):
            taken_ns = _spin(self._turns)
            self._best_ns = min(self._best_ns, taken_ns)
            if taken_ns <= self._best_ns * SPIN_SLACK:
                return
            time.sleep(0.002)
        self.forced += 1


class Stopwatch:
    """Takes guarded samples; counts what the guards could not prevent."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.preempted = 0

    def ns_per_op(self, case: Case, ops: int) -> float:
        for _ in range(REPEATS):
            wall_ns, cpu_ns = self._sample(case, ops)
            if case.own_threads or cpu_ns >= wall_ns * MIN_CPU_SHARE:
                return wall_ns / ops
        self.preempted += 1
        return wall_ns / ops

    def _sample(self, case: Case, ops: int) -> tuple[int, int]:
        self.gate.wait()
        # The CPU clock is a system call: it is read outside the wall clock so as not to be in it.
        cpu_start = time.thread_time_ns()
        wall_start = time.perf_counter_ns()
        case.run(ops)
        wall_ns = time.perf_counter_ns() - wall_start
        cpu_ns = time.thread_time_ns() - cpu_start
        case.after()
        return wall_ns, cpu_ns
