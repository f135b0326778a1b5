"""Telemetry events: what the memory of a process looked like at an instant, as records and as files."""

from cirron.spool.telemetry_event import SCHEMA_VERSION, TelemetryEvent
from stormlog.telemetry.jsonl import EventFormatError, load_events, save_events
from stormlog.telemetry.spooled import Spooled, spooled_events

__all__ = [
    "SCHEMA_VERSION",
    "EventFormatError",
    "Spooled",
    "TelemetryEvent",
    "load_events",
    "save_events",
    "spooled_events",
]
