"""Where the memory of a run went: phases, a tracker that looks at the memory between them, and what it recorded."""

from stormlog.telemetry import EventFormatError, TelemetryEvent, load_events, save_events

__all__ = ["EventFormatError", "TelemetryEvent", "load_events", "save_events"]
