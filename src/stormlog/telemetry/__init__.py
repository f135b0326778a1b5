"""Telemetry events: what the memory of a process looked like at an instant, as records and as files."""

from stormlog.telemetry.event import SCHEMA_VERSION, TelemetryEvent
from stormlog.telemetry.jsonl import EventFormatError, load_events, save_events

__all__ = ["SCHEMA_VERSION", "EventFormatError", "TelemetryEvent", "load_events", "save_events"]
