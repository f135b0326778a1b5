"""The trace that OpenTelemetry is at work on."""

from __future__ import annotations

import sys


def trace_context() -> tuple[str, str] | None:
    """Its id, and it as a W3C `traceparent`; None outside of any. Nothing is imported for it."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    trace_id = f"{span.trace_id:032x}"
    return trace_id, f"00-{trace_id}-{span.span_id:016x}-{span.trace_flags:02x}"
