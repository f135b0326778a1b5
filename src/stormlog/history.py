"""The events of a tracker: the newest so many, and a count of those that had to go."""

from __future__ import annotations

import threading
from collections import deque

from cirron.spool.telemetry_event import TelemetryEvent


class EventHistory:
    """Keeps the newest events; whatever goes for a newer one is counted.

    Args:
        max_events: how many are kept.
    """

    def __init__(self, max_events: int) -> None:
        self._lock = threading.RLock()  # reentrant: a signal handler may add while its thread does
        self._events: deque[TelemetryEvent] = deque(maxlen=max_events)
        self._added = 0

    def add(self, event: TelemetryEvent) -> None:
        """Add an event; the oldest goes where there is no room."""
        with self._lock:
            self._events.append(event)
            self._added += 1

    def events(self) -> list[TelemetryEvent]:
        """Those that are kept, the oldest first."""
        with self._lock:
            return list(self._events)

    @property
    def dropped(self) -> int:
        """How many are kept no more."""
        with self._lock:
            return self._added - len(self._events)
