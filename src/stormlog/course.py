"""How the memory of a tracking session went, in as few points and bands as a picture can show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from cirron.spool.telemetry_event import TelemetryEvent
from cirron.tree.thinning import thinned
from stormlog.phases.replay import PhaseReplay, ReplayedPhase

MOST_POINTS = 2000
LEAST_SHARE = 1 / 2000  # of the time; shorter phases become one with their neighbours
DEEPEST = 6
MOST_NAMES = 3


class Band(Struct):
    """A phase, or several beside each other that are too short to be told apart.

    Args:
        depth: how many phases lie around it, and itself.
        start_ns, end_ns: since 1970.
        names: of the phases, each with how many there are.
    """

    depth: int
    start_ns: int
    end_ns: int
    names: dict[str, int]

    @property
    def name(self) -> str:
        """The names of its phases, or the first of them."""
        more = ["…"] if len(self.names) > MOST_NAMES else []
        return ", ".join([*list(self.names)[:MOST_NAMES], *more])


class Course(Struct):
    """One session and rank.

    Args:
        session_id: the tracker's session.
        rank: of its process.
        device: whose memory it is, such as `host` or `cuda:0`.
        start_ns, end_ns: of its readings, since 1970.
        highest_bytes: the highest of these.
        points: instants, and the bytes allocated then; every peak and dip is there.
        bands: the phases, those of one depth in the order of their starts.
    """

    session_id: str
    rank: int
    device: str
    start_ns: int
    end_ns: int
    highest_bytes: int
    points: list[tuple[int, int]]
    bands: list[Band]


def courses(events: Iterable[TelemetryEvent]) -> list[Course]:
    """The courses of all sessions and ranks whose memory is known, the one that began first first."""
    found: defaultdict[tuple[str, int], list[TelemetryEvent]] = defaultdict(list)
    for event in events:
        if event.allocator_allocated_bytes is not None:
            found[event.session_id, event.rank].append(event)
    return sorted(map(_course, found.values()), key=lambda course: course.start_ns)


def _course(events: list[TelemetryEvent]) -> Course:
    events.sort(key=lambda event: event.timestamp_ns)
    first, last = events[0], events[-1]
    readings = [(event.timestamp_ns, event.allocator_allocated_bytes or 0) for event in events]
    least_ns = LEAST_SHARE * (last.timestamp_ns - first.timestamp_ns)
    return Course(
        session_id=first.session_id,
        rank=first.rank,
        device=first.collector if first.device_id is None else f"{first.collector}:{first.device_id}",
        start_ns=first.timestamp_ns,
        end_ns=last.timestamp_ns,
        highest_bytes=max(count_bytes for _, count_bytes in readings),
        points=[(at_ns, int(count_bytes)) for at_ns, count_bytes in thinned(readings, MOST_POINTS)],
        bands=list(_bands(PhaseReplay(events).phases, least_ns)),
    )


def _bands(phases: Sequence[ReplayedPhase], least_ns: float) -> Iterator[Band]:
    """The phases row by row; what is too short is put together with what comes just before it."""
    rows: defaultdict[int, list[Band]] = defaultdict(list)
    for phase in phases:
        row = rows[len(phase.path)]
        if row and phase.duration_ns < least_ns and _takes(row[-1], phase, least_ns):
            row[-1].end_ns = max(row[-1].end_ns, phase.end_ns)
            row[-1].names[phase.name] = row[-1].names.get(phase.name, 0) + 1
        else:
            row.append(Band(len(phase.path), phase.start_ns, phase.end_ns, {phase.name: 1}))
    for depth in range(1, 1 + DEEPEST):
        yield from rows[depth]


def _takes(band: Band, phase: ReplayedPhase, least_ns: float) -> bool:
    """Whether a short phase may become part of a band: it is near, and of a name there, or all of it is short."""
    count = sum(band.names.values())
    is_of_short = band.end_ns - band.start_ns < 2 * count * least_ns
    return phase.start_ns - band.end_ns < least_ns and (phase.name in band.names or is_of_short)
