"""How fast a pure-Python loop runs while batches are sent to a server, also to one that fails or hangs."""

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.loop import SLICE_NS, span_burst, window
from benchmarks.timing import Gate

SPANS_PER_SECOND = 20_000
SPANS_PER_SLICE = SPANS_PER_SECOND * SLICE_NS // 1_000_000_000
BEHAVIOURS = ("accepts", "fails", "hangs")


def speeds(ci: Any, window_s: float) -> Callable[[], dict[str, float]]:
    """One window of each kind, as a share of the speed of the loop alone.

    The loop's own thread records between the timed slices, so what runs beside it is the drain and the sender.
    `kept` records as much and sends nothing.
    """
    window_ns = int(window_s * 1e9)
    endpoints = {behaviour: _start_server(behaviour) for behaviour in BEHAVIOURS}
    gate = Gate()

    def alone() -> float:
        return window(window_ns, None)[0]

    def recording(**settings: str) -> float:
        session = ci.Cirron(flush_interval=0.2, **settings)
        session.profile()
        burst = span_burst(session, SPANS_PER_SLICE)
        window(window_ns // 4, burst)  # the sender has loaded its library and met the server
        gate.wait()
        speed = window(window_ns, burst)[0]
        session.shutdown()
        return speed

    kinds: dict[str, Callable[[], float]] = {"alone": alone, "kept": recording}
    for behaviour, endpoint in endpoints.items():
        kinds[behaviour] = lambda endpoint=endpoint: recording(api_key="benchmark", api_endpoint=endpoint)

    def measure() -> dict[str, float]:
        found = {}
        for kind in random.sample(list(kinds), len(kinds)):
            gate.wait()
            found[kind] = kinds[kind]()
        return {kind: speed / found["alone"] for kind, speed in found.items() if kind != "alone"}

    return measure


def _start_server(behaviour: str) -> str:
    """The server ends with this process, which holds the other end of its standard input."""
    command = [sys.executable, "-m", "benchmarks.server", behaviour]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    return f"http://127.0.0.1:{int(server.stdout.readline())}"
