"""Other ways to time a block, each imported only if it is installed.

`nvtx` and `record_function` record nothing here: no tool is attached and the profiler is off. They
stand in the table for what a block costs that is merely ready to be seen.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.timing import Case

PACKAGES = ("opentelemetry-sdk", "nvtx", "torch")


def installed() -> list[Case]:
    return [case for cases in (_opentelemetry, _nvtx, _torch) for case in _if_installed(cases)]


def _if_installed(cases: Callable[[], list[Case]]) -> list[Case]:
    try:
        return cases()
    except ModuleNotFoundError:
        return []  # its row in the table says so


def _opentelemetry() -> list[Case]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class NullExporter(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    # Room for a whole burst, so that its export thread rests while it is timed, as ours does.
    room = 1 << 16
    processor = BatchSpanProcessor(NullExporter(), max_queue_size=room, max_export_batch_size=room)
    provider.add_span_processor(processor)
    start_span = provider.get_tracer("benchmarks").start_as_current_span

    def plain(ops: int) -> None:
        for _ in range(ops):
            with start_span("forward"):
                pass

    def attribute(ops: int) -> None:
        for _ in range(ops):
            with start_span("forward", attributes={"split": "train"}):
                pass

    return [
        Case("opentelemetry", plain, provider.force_flush),
        Case("opentelemetry attribute", attribute, provider.force_flush),
    ]


def _nvtx() -> list[Case]:
    from nvtx import annotate

    def run(ops: int) -> None:
        for _ in range(ops):
            with annotate("forward"):
                pass

    return [Case("nvtx", run)]


def _torch() -> list[Case]:
    from torch.profiler import record_function

    def run(ops: int) -> None:
        for _ in range(ops):
            with record_function("forward"):
                pass

    return [Case("torch", run)]
