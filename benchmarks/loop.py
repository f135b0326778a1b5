"""How fast a pure-Python loop runs while spans are recorded and drained."""

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks.timing import Gate

SPANS_PER_SECOND = 200_000
SLICE_NS = 10_000_000
SPANS_PER_SLICE = SPANS_PER_SECOND * SLICE_NS // 1_000_000_000

Burst = Callable[[], None]


def slowdown(ci: Any, window_s: float) -> Callable[[], dict[str, float]]:
    """One window of each kind: speeds as a share of the loop alone, and the span rates reached.

    `drained`: the loop's own thread records between the timed slices, so only the drain runs beside it.
    `recorded`: another Python thread records, and must take the GIL from the loop to do so.
    `locked`: that other thread takes a lock as often instead: the price of the GIL, with no recorder.
    """
    window_ns = int(window_s * 1e9)
    record, lock = span_burst(ci, SPANS_PER_SLICE), _lock_burst()
    kinds: dict[str, Callable[[], tuple[float, float]]] = {
        "alone": lambda: window(window_ns, None),
        "drained": lambda: window(window_ns, record),
        "recorded": lambda: _beside(window_ns, record),
        "locked": lambda: _beside(window_ns, lock),
    }
    gate = Gate()

    def measure() -> dict[str, float]:
        speeds, rates = {}, {}
        for kind in random.sample(list(kinds), len(kinds)):
            gate.wait()
            speeds[kind], rates[kind] = kinds[kind]()
            ci.flush()
        shares = {kind: speed / speeds["alone"] for kind, speed in speeds.items() if kind != "alone"}
        return shares | {f"{kind} spans/s": rates[kind] for kind in shares}

    return measure


def _work() -> None:
    total = 0
    for i in range(2_000):
        total += i * i % 7


def span_burst(ci: Any, spans: int) -> Burst:
    scope = ci.scope

    def burst() -> None:
        for _ in range(spans):
            with scope("step"):
                pass

    return burst


def _lock_burst() -> Burst:
    lock = threading.Lock()

    def burst() -> None:
        for _ in range(SPANS_PER_SLICE):
            with lock:
                pass

    return burst


def window(window_ns: int, burst: Burst | None) -> tuple[float, float]:
    """Turns of the loop per second outside the bursts, and spans per second over the whole window."""
    turns = loop_ns = slices = 0
    start_ns = time.perf_counter_ns()
    slice_end_ns = start_ns
    while slice_end_ns < start_ns + window_ns:
        slice_end_ns = max(slice_end_ns + SLICE_NS, time.perf_counter_ns())
        slices += 1
        if burst:
            burst()
        began_ns = now_ns = time.perf_counter_ns()
        while now_ns < slice_end_ns:
            _work()
            turns += 1
            now_ns = time.perf_counter_ns()
        loop_ns += now_ns - began_ns
    spans = slices * SPANS_PER_SLICE if burst else 0
    return turns * 1e9 / max(loop_ns, 1), spans * 1e9 / (time.perf_counter_ns() - start_ns)


def _beside(window_ns: int, burst: Burst) -> tuple[float, float]:
    producer = _Producer(burst)
    producer.start()
    start_ns = time.perf_counter_ns()
    speed, _ = window(window_ns, None)
    rate = producer.bursts * SPANS_PER_SLICE * 1e9 / (time.perf_counter_ns() - start_ns)
    producer.stop()
    return speed, rate


class _Producer(threading.Thread):
    """Runs one burst per slice, and catches up when it was kept waiting."""

    def __init__(self, burst: Burst) -> None:
        super().__init__(daemon=True)
        self._burst = burst
        self._stopped = threading.Event()
        self.bursts = 0

    def run(self) -> None:
        start_ns = time.perf_counter_ns()
        while not self._stopped.is_set():
            self._burst()
            self.bursts += 1
            ahead_ns = start_ns + self.bursts * SLICE_NS - time.perf_counter_ns()
            if ahead_ns > 0:
                self._stopped.wait(ahead_ns / 1e9)

    def stop(self) -> None:
        self._stopped.set()
        self.join()
