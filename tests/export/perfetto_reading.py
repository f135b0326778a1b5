"""Reads a Perfetto trace with Perfetto's own messages, by the rules of its trace processor.

Packets are put in the order of time, those of one instant as they stand in the file. A slice's end closes whatever
was opened last on its track.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as proto

NEEDS_STATE = proto.TracePacket.SequenceFlags.SEQ_NEEDS_INCREMENTAL_STATE
STATE_CLEARED = proto.TracePacket.SequenceFlags.SEQ_INCREMENTAL_STATE_CLEARED


@dataclass
class Slice:
    name: str
    start_ns: int
    depth: int
    arguments: dict[str, Any]
    end_ns: int | None = None


@dataclass
class Track:
    """A track with what lies on it; `path` names it and those above."""

    path: tuple[str, ...]
    descriptor: Any
    slices: list[Slice] = field(default_factory=list)
    counts: list[tuple[int, float]] = field(default_factory=list)
    instants: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    open: list[Slice] = field(default_factory=list)


class Trace:
    """A trace as the viewer understands it."""

    def __init__(self, content: bytes) -> None:
        self.packets = proto.Trace.FromString(content).packet
        assert not any(len(UnknownFieldSet(packet)) for packet in self.packets)
        self.tracks: dict[int, Track] = {}
        self._events: dict[int, str] = {}
        self._arguments: dict[int, str] = {}
        timed = [packet for packet in self.packets if self._taken(packet)]
        for packet in sorted(timed, key=lambda packet: packet.timestamp):
            self._play(packet.timestamp, packet.track_event)

    def by_path(self) -> dict[tuple[str, ...], Track]:
        tracks = {track.path: track for track in self.tracks.values()}
        assert len(tracks) == len(self.tracks)
        return tracks

    def slices(self) -> list[Slice]:
        return [each for track in self.tracks.values() for each in track.slices]

    def picture(self) -> list[str]:
        """Each track with its slices, indented by how deep they lie."""
        lines = []
        for path, track in sorted(self.by_path().items()):
            if track.slices:
                lines.append(" / ".join(path))
                lines += ["  " * (each.depth + 1) + each.name for each in track.slices]
        return lines

    def _taken(self, packet):
        """In the order of the file: what is known before any event is played. True for an event."""
        assert packet.trusted_packet_sequence_id == 1
        first = packet is self.packets[0]
        assert first == bool(packet.sequence_flags & STATE_CLEARED)
        kind = packet.WhichOneof("data")
        if kind == "track_descriptor":
            self._describe(packet.track_descriptor)
        elif kind == "track_event":
            assert packet.sequence_flags & NEEDS_STATE
            assert packet.track_event.track_uuid in self.tracks, "an event before its track"
            assert packet.track_event.name_iid == 0 or packet.track_event.name_iid in self._events
            return True
        self._events |= {each.iid: each.name for each in packet.interned_data.event_names}
        self._arguments |= {each.iid: each.name for each in packet.interned_data.debug_annotation_names}
        return False

    def _describe(self, descriptor):
        assert descriptor.uuid not in self.tracks
        parent = self.tracks[descriptor.parent_uuid].path if descriptor.parent_uuid else ()
        name = descriptor.name or descriptor.thread.thread_name or descriptor.process.process_name
        self.tracks[descriptor.uuid] = Track((*parent, name), descriptor)

    def _play(self, ts_ns, event):
        track = self.tracks[event.track_uuid]
        kinds = proto.TrackEvent
        if event.type == kinds.TYPE_SLICE_BEGIN:
            opened = Slice(self._name(event), ts_ns, len(track.open), self._told(event))
            track.open.append(opened)
            track.slices.append(opened)
        elif event.type == kinds.TYPE_SLICE_END:
            track.open.pop().end_ns = ts_ns
        elif event.type == kinds.TYPE_COUNTER:
            assert track.descriptor.HasField("counter")
            value = event.counter_value if event.HasField("counter_value") else event.double_counter_value
            track.counts.append((ts_ns, value))
        else:
            assert event.type == kinds.TYPE_INSTANT
            track.instants.append((self._name(event), self._told(event)))

    def _name(self, event):
        return self._events[event.name_iid] if event.name_iid else event.name

    def _told(self, event):
        return {
            self._arguments[each.name_iid] if each.name_iid else each.name: _value(each)
            for each in event.debug_annotations
        }


def _value(annotation):
    value = getattr(annotation, annotation.WhichOneof("value"))
    return json.loads(value) if annotation.HasField("legacy_json_value") else value
