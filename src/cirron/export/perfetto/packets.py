"""The packets of a Perfetto trace, as bytes: those few fields of its protobuf messages that we write.

A trace is nothing but its packets one after the other. The numbers are those of `perfetto_trace.proto`. It is written
by hand so that everybody has this format without another package; the tests read it with Perfetto's own classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cirron.export.perfetto.protobuf import LENGTH_DELIMITED, double, message, number, text, varint

_INT64 = range(-(2**63), 2**63)

SLICE_BEGIN, SLICE_END, INSTANT, COUNTER = 1, 2, 3, 4  # TrackEvent.Type
_BOOTTIME, _REALTIME = 6, 1  # BuiltinClock
_STATE_CLEARED, _NEEDS_STATE = 1, 2  # TracePacket.SequenceFlags

_SEQUENCE = number(10, 1)  # all our packets belong to one writer's sequence
_EVENT_SEQUENCE = _SEQUENCE + number(13, _NEEDS_STATE)
_TIMESTAMP = varint(8 << 3)
_TRACK_EVENT = varint(11 << 3 | LENGTH_DELIMITED)
_PACKET = varint(1 << 3 | LENGTH_DELIMITED)


def packet(content: bytes) -> bytes:
    """One packet of the trace."""
    return message(1, content)


def first_packet(realtime_ns: int) -> bytes:
    """The packet that begins the sequence and says that our times are those of the calendar.

    Perfetto's own clock is set equal to it, so that its page can show dates.
    """
    clocks = [message(1, number(1, clock) + number(2, realtime_ns)) for clock in (_BOOTTIME, _REALTIME)]
    begins = number(13, _STATE_CLEARED) + number(87, 1)
    return packet(_SEQUENCE + begins + message(6, b"".join(clocks)))


def process(track: int, pid: int, name: str) -> bytes:
    """A process, whose own track has no slices."""
    return _described(number(1, track) + message(3, number(1, pid) + text(6, name)))


def thread(track: int, parent: int, pid: int, tid: int, name: str) -> bytes:
    """A thread of a process."""
    described = number(1, pid) + number(2, tid) + text(5, name)
    return _described(number(1, track) + number(5, parent) + message(4, described))


def plain_track(track: int, parent: int, name: str) -> bytes:
    """A track below another."""
    return _described(number(1, track) + number(5, parent) + text(2, name))


def counter_track(track: int, parent: int, name: str) -> bytes:
    """A track of numbers below another."""
    return _described(number(1, track) + number(5, parent) + text(2, name) + message(8, b""))


def _described(descriptor: bytes) -> bytes:
    return packet(_SEQUENCE + message(60, descriptor))


def interned(entries: bytes) -> bytes:
    """The packet with the names that events refer to by number."""
    return packet(_EVENT_SEQUENCE + message(12, entries))


def event(ts_ns: int, body: bytes) -> bytes:
    """An event at an instant; `body` is made by one of the functions below, with its track in front."""
    content = b"".join((_TIMESTAMP, varint(ts_ns), _EVENT_SEQUENCE, _TRACK_EVENT, varint(len(body)), body))
    return _PACKET + varint(len(content)) + content


def on_track(track: int) -> bytes:
    """The field that puts an event on a track."""
    return number(11, track)


def counter_value(value: float) -> bytes:
    """The body of a counter's event."""
    if isinstance(value, int) and value in _INT64:
        return number(9, COUNTER) + number(30, value)
    return number(9, COUNTER) + double(44, value)


SLICE_ENDS = number(9, SLICE_END)  # the body of the event that closes the innermost slice of its track


def instant(name: str, arguments: Mapping[str, Any]) -> bytes:
    """The body of an event without duration."""
    told = b"".join(annotation(text(10, key), value) for key, value in arguments.items())
    return number(9, INSTANT) + text(23, name) + told


def annotation(name: bytes, value: Any) -> bytes:
    """An argument of an event; `name` is the field that names it."""
    return message(4, name + _annotation_value(value))


def _annotation_value(value: Any) -> bytes:
    match value:
        case str():
            return text(6, value)
        case bool():
            return number(2, value)
        case int():
            return number(4, value) if value in _INT64 else text(6, str(value))
        case float():
            return double(5, value)
        case None:
            return text(6, "null")
    return text(9, msgspec.json.encode(value).decode())
