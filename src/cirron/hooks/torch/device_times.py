"""`gpu_ns`: how long a device takes for a scope, by two events in its queue; nobody waits for them."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cirron.hooks.torch.captures import Captures

PATIENCE_S = 30.0  # a queue may hold a whole step of a large model; what comes later is null
LAST_S = 2.0  # the same where a session ends, or somebody wants everything written
ASK_S = 0.001
MOST = 4096  # pairs of events on their way


class DeviceTimes:
    """Puts events into the current stream, and takes those back that are done with.

    Args:
        cuda: `torch.cuda`, or what behaves like it.
        captures: during which there are no events.
    """

    def __init__(self, cuda: Any, captures: Captures) -> None:
        self.captures = captures
        self.tickets: list[None] = [None] * MOST  # each time on its way has one
        self._cuda = cuda
        self._idle: defaultdict[int, list[Any]] = defaultdict(
            list
        )  # by device, to which an event belongs for good

    def begin(self) -> tuple[int, Any] | None:
        """The device and an event, from which on time counts; None where no event may be."""
        if not self.tickets or self.captures.is_one_here():
            return None
        device = self._cuda.current_device()
        return device, self._record(device)

    def end(self, begun: tuple[int, Any]) -> DeviceTime | None:
        """The time from there to here, to be known later; None where this is another device, or a capture."""
        device, start = begun
        if not self.tickets or self.captures.is_one_here() or device != self._cuda.current_device():
            return None
        return DeviceTime(self, device, start, self._record(device))

    def take_back(self, device: int, *events: Any) -> None:
        """These may be used again."""
        self._idle[device].extend(events)

    def _record(self, device: int) -> Any:
        idle = self._idle[device]
        event = idle.pop() if idle else self._cuda.Event(enable_timing=True)
        event.record()
        return event


class DeviceTime:
    """See `cirron._recorder.values.Deferred`."""

    def __init__(self, times: DeviceTimes, device: int, start: Any, end: Any) -> None:
        self._times = times
        self._device = device
        self._start = start
        self._end = end
        self._recorded_s = time.monotonic()
        self._duration_ns: int | None = None
        times.tickets.pop()

    def __del__(self) -> None:
        self._times.tickets.append(None)

    def ready(self) -> bool:
        """Whether the device has come so far, or takes so long that nobody waits for it any more."""
        self._times.captures.outside(self._look)
        return self._duration_ns is not None or self._is_older_than(PATIENCE_S)

    def get(self) -> int | None:
        """Nanoseconds, or None where the device has not come so far within the time that there is."""
        while not self.ready() and not self._is_older_than(LAST_S):
            time.sleep(ASK_S)
        return self._duration_ns

    def _look(self) -> None:
        """Both have to have passed: they may be in different streams. One thread at a time is here."""
        if self._duration_ns is None and self._end.query() and self._start.query():
            self._duration_ns = round(self._start.elapsed_time(self._end) * 1e6)
            self._times.take_back(self._device, self._start, self._end)

    def _is_older_than(self, age_s: float) -> bool:
        return time.monotonic() - self._recorded_s > age_s
