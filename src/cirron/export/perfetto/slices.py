"""Spans as the slices of a trace."""

from __future__ import annotations

import mmap
from array import array
from typing import IO, Any

from cirron.export.destination import Sink
from cirron.export.perfetto import packets
from cirron.export.perfetto.lanes import Lanes
from cirron.export.perfetto.processes import Process
from cirron.export.perfetto.vocabulary import Vocabulary
from cirron.export.source import Part
from cirron.export.tables import state
from cirron.spool import Span
from cirron.spool.records import OVERHEAD_MARK, is_session_span


class Slices:
    """The spans of all sessions: their events in a scratch file, their times and families in `Lanes`."""

    def __init__(self, scratch: IO[bytes]) -> None:
        self._scratch = scratch
        self._offsets = array("q", [0])
        self._vocabulary = Vocabulary()
        self._lanes = Lanes()
        self._places: dict[tuple[Process, int], int] = {}  # of each thread
        self._roots: dict[Process, tuple[int, int]] = {}  # of each session: number and thread

    def add(self, part: Part, process: Process) -> None:
        """Take the part's spans."""
        overheads = {mark.span_id: mark.value for mark in part.batch.marks if mark.name == OVERHEAD_MARK}
        bodies = []
        for span, end_ns in _children_first(part):
            place = self._places.setdefault((process, span.thread_id), len(self._places))
            number = self._lanes.add(span.id, span.parent_id, span.start_ns, end_ns, place)
            if is_session_span(span):
                self._roots[process] = (number, span.thread_id)
            body = self._vocabulary.slice_begin(span.name, _arguments(span, overheads.get(span.id)))
            bodies.append(body)
            self._offsets.append(self._offsets[-1] + len(body))
        self._scratch.write(b"".join(bodies))

    def write(self, sink: Sink) -> None:
        """Write every slice, lane by lane."""
        if len(self._offsets) == 1:
            return
        sink.write(self._vocabulary.packet())
        self._lanes.adopt(
            {
                place: self._roots[process][0]
                for (process, _), place in self._places.items()
                if process in self._roots
            }
        )
        self._scratch.flush()
        with mmap.mmap(self._scratch.fileno(), 0, access=mmap.ACCESS_READ) as bodies:
            self._write_lanes(sink, bodies)

    def _write_lanes(self, sink: Sink, bodies: mmap.mmap) -> None:
        tracks = _Tracks(self._places, self._roots)
        for place, lane, top in self._lanes.tops():
            self._write_top(sink, bodies, packets.on_track(tracks.of(place, lane)), top)

    def _write_top(self, sink: Sink, bodies: mmap.mmap, on_track: bytes, top: int) -> None:
        lanes, offsets, event = self._lanes, self._offsets, packets.event
        end = on_track + packets.SLICE_ENDS
        for number in lanes.events(top):
            if number >= 0:
                body = bodies[offsets[number] : offsets[number + 1]]
                sink.write(event(lanes.starts_ns[number], on_track + body))
            else:
                sink.write(event(lanes.ends_ns[~number], end))


class _Tracks:
    """The tracks of threads and lanes, described when they are first asked for."""

    def __init__(self, places: dict[tuple[Process, int], int], roots: dict[Process, tuple[int, int]]) -> None:
        self._threads = list(places)  # in the order of their numbers
        self._main_threads = {process: thread_id for process, (_, thread_id) in roots.items()}
        self._known: dict[tuple[int, int], int] = {}

    def of(self, place: int, lane: int) -> int:
        known = self._known.get((place, lane))
        if known is None:
            process, thread_id = self._threads[place]
            if lane == 0:
                is_main = self._main_threads.get(process) == thread_id
                known = process.thread(thread_id, is_main=is_main)
            else:
                known = process.lane(self.of(place, 0), thread_id, lane)
            self._known[place, lane] = known
        return known


def _children_first(part: Part) -> list[tuple[Span, int]]:
    """The spans with their ends, each before its parent, in whatever order they were written."""
    ended = [
        (span, max(span.start_ns, part.until_ns if span.end_ns is None else span.end_ns))
        for span in part.batch.spans
    ]
    ended.sort(key=lambda each: (each[1], -each[0].start_ns))
    return ended


def _arguments(span: Span, overhead_ns: object) -> dict[str, Any]:
    facts = {
        "index": span.index,
        "cpu_ns": span.cpu_ns,
        "gpu_ns": span.gpu_ns,
        "memory_peak_bytes": span.memory_peak_bytes,
        OVERHEAD_MARK: overhead_ns,
        "cirron.open": True if state(span) == "open" else None,
    }
    return {key: value for key, value in facts.items() if value is not None} | span.attrs
