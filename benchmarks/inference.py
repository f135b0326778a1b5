"""What `ci.inference` costs a call, beside cirron-sdk's decorator and OpenTelemetry's.

    python -m benchmarks.inference [--quick] [--ours]

As in the cost table: bursts with a flush between them, all cases and processes in turns, medians; from each decorated
call the same call without the decorator is subtracted. A coroutine is driven by hand, so no event loop is in it.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import coroutine
from typing import Any

from benchmarks import machine, sdk
from benchmarks.driver import ROOT, interleaved, medians, progress
from benchmarks.rows import CIRRON, DISABLED, SDK
from benchmarks.settings import SIZES
from benchmarks.table import grid, number, verdict
from benchmarks.timing import Case

OPENTELEMETRY = "opentelemetry"
LEFT_OUT, NO_SESSION = "left out", "no session"
ITEMS = 8

ROWS = (
    ("function", "call", 1_000.0),
    ("coroutine", "coroutine", 2_000.0),
    ("coroutine that waits once", "waiting coroutine", None),
    (f"generator, for {ITEMS} items", "generator", None),
    ("request that `sample_rate=0` leaves out", LEFT_OUT, None),
    ("function, no session", NO_SESSION, None),
)


def cases(decorate: Callable[[Any], Any], after: Callable[[], object]) -> list[Case]:
    """Each kind of function, decorated and plain."""
    kinds: dict[str, tuple[Any, Callable[[Any], Callable[[int], None]]]] = {
        "call": (_call, _calls),
        "coroutine": (_coroutine, _awaits),
        "waiting coroutine": (_waiting, _awaits),
        "generator": (_generator, _iterations),
    }
    return [
        case
        for name, (function, run) in kinds.items()
        for case in (Case(f"{name} plain", run(function)), Case(name, run(decorate(function)), after))
    ]


def ours(ci: Any) -> list[Case]:
    """Ours, and what it costs when nothing comes of it."""
    left_out = Case(LEFT_OUT, _calls(ci.inference(sample_rate=0)(_call)), ci.flush)
    return [*cases(ci.inference, ci.flush), left_out]


def opentelemetry() -> list[Case]:
    """The decorator that OpenTelemetry's tracer is; of a generator it would time the making only."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class NullExporter(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    room = 1 << 16  # as in competitors.py
    processor = BatchSpanProcessor(NullExporter(), max_queue_size=room, max_export_batch_size=room)
    provider.add_span_processor(processor)
    decorate = provider.get_tracer("benchmarks").start_as_current_span("request")
    all_kinds = cases(decorate, provider.force_flush)
    return [case for case in all_kinds if not case.name.startswith("generator")]


def _call(x: int) -> int:
    return x


async def _coroutine(x: int) -> int:
    return x


async def _waiting(x: int) -> int:
    await _turn()
    return x


@coroutine
def _turn() -> Iterator[None]:
    yield


def _generator(x: int) -> Iterator[None]:
    for _ in range(ITEMS):
        yield None


def _calls(function: Callable[[int], Any]) -> Callable[[int], None]:
    def run(ops: int) -> None:
        for _ in range(ops):
            function(1)

    return run


def _awaits(function: Callable[[int], Any]) -> Callable[[int], None]:
    def run(ops: int) -> None:
        for _ in range(ops):
            made = function(1)
            try:
                while True:
                    made.send(None)
            except StopIteration:
                pass

    return run


def _iterations(function: Callable[[int], Any]) -> Callable[[int], None]:
    def run(ops: int) -> None:
        for _ in range(ops):
            for _ in function(1):
                pass

    return run


def main() -> None:
    options = _options()
    options.output.mkdir(parents=True, exist_ok=True)
    size = "quick" if options.quick else "full"
    workers = {
        CIRRON: (sys.executable, "inference_ours"),
        DISABLED: (sys.executable, "inference_disabled"),
        OPENTELEMETRY: (sys.executable, "inference_opentelemetry"),
    }
    if not options.ours:
        workers[SDK] = (sdk.python(options.output / "sdk-env"), "inference_sdk")
    samples = interleaved(workers, size, SIZES[size].operation_rounds, options.output)
    report = markdown(medians(samples))
    progress("")
    (options.output / "inference.md").write_text(report + "\n")
    print(report)


def markdown(results: dict[str, dict[str, float]]) -> str:
    facts = machine.describe()
    header = [
        "over the same call undecorated",
        "ns",
        "target",
        f"cirron-sdk {sdk.VERSION}, ns",
        "times cheaper",
    ]
    lines = [_line(results, *row) for row in ROWS]
    preamble = f"Medians on {facts['cpu']}, {facts['cores']} cores, {facts['python']}, {facts['date']}."
    return "\n\n".join([preamble, grid([*header, "OpenTelemetry, ns"], lines)])


def _line(results: dict[str, dict[str, float]], label: str, case: str, most_ns: float | None) -> list[str]:
    own = _added_ns(results[DISABLED], "call") if case == NO_SESSION else _added_ns(results[CIRRON], case)
    theirs = _added_ns(results.get(SDK, {}), case)
    times = theirs / own if own and theirs else None
    return [
        label,
        number(own),
        verdict(own, most=most_ns),
        number(theirs),
        number(times),
        number(_added_ns(results[OPENTELEMETRY], case)),
    ]


def _added_ns(medians_ns: dict[str, float], case: str) -> float | None:
    """What the decorator adds; None when it was not measured."""
    plain = "call plain" if case == LEFT_OUT else f"{case} plain"
    return medians_ns[case] - medians_ns[plain] if case in medians_ns else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference")
    parser.add_argument("--quick", action="store_true", help="few and short samples, which prove no number")
    parser.add_argument("--ours", action="store_true", help="without cirron-sdk; installs nothing")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench")
    return parser.parse_args()


if __name__ == "__main__":
    main()
