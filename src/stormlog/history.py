"""The events of a tracker: the newest so many, and a count of those that had to go."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice

import msgspec

from cirron.spool.telemetry_event import TelemetryEvent

_OBJECT_BYTES = 56  # around the text of an event, and in the queue

_decode = msgspec.json.Decoder(TelemetryEvent).decode


class EventHistory:
    """Keeps the newest events, as the JSON that they become anyway: that takes a third of the memory.

    Whatever goes for a newer one is counted.

    Args:
        max_events: how many are kept.
    """

    def __init__(self, max_events: int) -> None:
        self._lock = threading.RLock()  # reentrant: a signal handler may add while its thread does
        self._events: deque[bytes] = deque(maxlen=max_events)
        self._added = 0
        self._bytes = 0

    def add(self, record: bytes) -> None:
        """Add an event, encoded; the oldest goes where there is no room."""
        with self._lock:
            if len(self._events) == self._events.maxlen:
                self._bytes -= len(self._events[0]) + _OBJECT_BYTES
            self._events.append(memoryview(record).tobytes())  # the encoder's own has room to spare behind it
            self._bytes += len(record) + _OBJECT_BYTES
            self._added += 1

    def events(self) -> list[TelemetryEvent]:
        """Those that are kept, the oldest first."""
        with self._lock:
            records = list(self._events)
        return [_decode(record) for record in records]

    def newest(self, count: int) -> list[bytes]:
        """At most so many, the oldest of them first, as they are kept: that takes next to no memory."""
        with self._lock:
            return list(islice(reversed(self._events), count))[::-1]

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._events)

    @property
    def held_bytes(self) -> int:
        """The memory that the events take, which is in the readings of the host too."""
        return self._bytes

    @property
    def dropped(self) -> int:
        """How many are kept no more."""
        with self._lock:
            return self._added - len(self._events)
