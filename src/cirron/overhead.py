"""What recording costs on this machine, for the `cirron.overhead_ns` marks."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from cirron._recorder import Recorder

REPEATS = 5
CALLS = 400


@functools.cache
def calibrate() -> tuple[int, int]:
    """Nanoseconds that one empty scope and one mark cost; measured once per process, within 2 ms."""
    # Never drained and never closed: its records go nowhere, and its memory goes with it.
    recorder = Recorder(spool_dir="", journal_dir=None, batch_fields=b"", ring_marks=1024)
    empty_ns = _fastest(_nothing, recorder)
    scope_ns = (_fastest(_scopes, recorder) - empty_ns) // CALLS
    mark_ns = (_fastest(_marks, recorder) - empty_ns) // CALLS
    return max(0, scope_ns), max(0, mark_ns)


def _fastest(loop: Callable[[Recorder], None], recorder: Recorder) -> int:
    """The shortest of some runs: whatever disturbs a run can only lengthen it."""
    return min(_timed(loop, recorder) for _ in range(REPEATS))


def _timed(loop: Callable[[Recorder], None], recorder: Recorder) -> int:
    started_ns = time.perf_counter_ns()
    loop(recorder)
    return time.perf_counter_ns() - started_ns


def _nothing(recorder: Recorder) -> None:
    for _ in range(CALLS):
        pass


def _scopes(recorder: Recorder) -> None:
    scope = recorder.scope
    for _ in range(CALLS):
        with scope("calibration"):
            pass


def _marks(recorder: Recorder) -> None:
    mark = recorder.mark
    for _ in range(CALLS):
        mark("calibration", 0.5)
