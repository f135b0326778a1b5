"""Writes a Perfetto trace: a process for each session, a track for each thread, marks as counters."""

from __future__ import annotations

from cirron.export.destination import Sink
from cirron.export.perfetto import packets
from cirron.export.perfetto.processes import Processes
from cirron.export.perfetto.slices import Slices
from cirron.export.source import Source


def write_perfetto(source: Source, sink: Sink) -> None:
    """Write a trace with spans as slices.

    Which lane a span takes is known only when all have come, so slices wait in a scratch file, and only some
    36 bytes of each in memory. Marks are written as they come: a counter for each name, or an instant where the value
    is no finite number. A mark's attributes go with instants only, as counters have none.

    Args:
        source: the records.
        sink: takes the trace.
    """
    sink.write(packets.first_packet(min((session.started_ns for session in source.sessions), default=0)))
    with sink.scratch() as scratch:
        slices = Slices(scratch)
        processes = Processes(sink)
        for part in source.parts():
            process = processes.of(part.session)
            process.write_marks(part)
            slices.add(part, process)
        slices.write(sink)
