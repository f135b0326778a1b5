"""Where the memory of a run went: phases, a tracker that looks at the memory around them, and what it recorded."""

from stormlog.alerts import Alert
from stormlog.telemetry import EventFormatError, TelemetryEvent, load_events, save_events
from stormlog.tracker import MemoryTracker

__all__ = ["Alert", "EventFormatError", "MemoryTracker", "TelemetryEvent", "load_events", "save_events"]
