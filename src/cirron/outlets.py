"""What becomes of sealed batches beyond lying in the spool: the cap hears of their size, the printer prints them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cirron._recorder import Recorder
    from cirron.sinks import Printer
    from cirron.spool.cap import Dropped, SpoolCap


class Outlets:
    """The cap and the printer of one session; either may be None."""

    def __init__(self, cap: SpoolCap | None, printer: Printer | None) -> None:
        self._cap = cap
        self._printer = printer
        self._lock = threading.Lock()
        self._accounted_bytes = 0
        self._dropped = {
            "spool_drop_count": 0,
            "spool_drop_span_count": 0,
            "spool_drop_mark_count": 0,
            "spool_drop_memory_count": 0,
        }

    def pass_on(self, recorder: Recorder) -> None:
        """Account for what the recorder has sealed since the last call, and have it printed.

        Skipped while another thread is at it: that or the next pass takes all there is.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._keep_to_cap(recorder)
            if self._printer is not None:
                self._printer.offer(recorder.take_batches())
        finally:
            self._lock.release()

    def facts(self) -> dict[str, Any]:
        """Their part of `health()`."""
        used_bytes = self._cap.used_bytes() if self._cap is not None else 0
        sink_drops = self._printer.dropped_count if self._printer is not None else 0
        return {**self._dropped, "spool_bytes": used_bytes, "sink_drop_count": sink_drops}

    def _keep_to_cap(self, recorder: Recorder) -> None:
        sealed_bytes = recorder.counters()["bytes_sealed"]
        new_bytes, self._accounted_bytes = sealed_bytes - self._accounted_bytes, sealed_bytes
        is_last = recorder.closed  # then hear of all that the cap has removed
        if self._cap is not None and (new_bytes > 0 or is_last):
            self._count(self._cap.added(new_bytes), recorder)

    def _count(self, dropped: Dropped, recorder: Recorder) -> None:
        if dropped.batches > 0:
            recorder.count_spool_drops(dropped.batches, dropped.spans, dropped.marks, dropped.memory)
            self._dropped["spool_drop_count"] += dropped.batches
            self._dropped["spool_drop_span_count"] += dropped.spans
            self._dropped["spool_drop_mark_count"] += dropped.marks
            self._dropped["spool_drop_memory_count"] += dropped.memory
