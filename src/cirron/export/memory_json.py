"""The memory of a run as plain values, for the page about it.

    [{"device", "rank", "highest_bytes", "points": [[offset_ns, bytes]],
      "bands": [{"name", "depth", "offset_ns", "end_ns", "count"}]}]

One for each session of a memory tracker. Instants count from the start of the run, as in `profile_json`.
"""

from __future__ import annotations

from typing import Any

from cirron.spool import Reader

Fields = dict[str, Any]


def memory(reader: Reader, started_ns: int) -> list[Fields]:
    """How the memory went in the sessions of a reader; empty where no tracker was at work.

    Args:
        reader: gives the batches.
        started_ns: of the run.
    """
    from stormlog.course import courses
    from stormlog.telemetry.spooled import events_of

    return [
        {
            "device": course.device,
            "rank": course.rank,
            "highest_bytes": course.highest_bytes,
            "points": [[at_ns - started_ns, count_bytes] for at_ns, count_bytes in course.points],
            "bands": [
                {
                    "name": band.name,
                    "depth": band.depth,
                    "offset_ns": band.start_ns - started_ns,
                    "end_ns": band.end_ns - started_ns,
                    "count": sum(band.names.values()),
                }
                for band in course.bands
            ],
        }
        for course in courses(events_of(reader).events)
    ]
