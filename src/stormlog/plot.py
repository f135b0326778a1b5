"""Memory over time with the phases below it, as an SVG picture that needs no other package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from msgspec import Struct

from cirron.spool.telemetry_event import TelemetryEvent
from cirron.tree import units
from stormlog.phases.replay import PhaseReplay, ReplayedPhase

WIDTH, HEIGHT = 1200, 360
LEFT, RIGHT, TOP = 90, 20, 40
ROW = 22  # of the phases of one depth
DEEPEST = 6
LEAST_PX = 0.5  # phases that are narrower are drawn as one with their neighbours of the same name
TICKS = 5
COLORS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#9c755f")


class Band(Struct):
    """A phase on its row, or several too narrow to be told apart."""

    name: str
    depth: int
    start_px: float
    end_px: float
    count: int = 1


def svg(events: Iterable[TelemetryEvent]) -> str:
    """A picture of one session: what the allocator held, and which phases were open.

    Args:
        events: of one session and rank.

    Raises:
        ValueError: no event tells of any memory.

    Example:
        Path("memory.svg").write_text(svg(tracker.events()))
    """
    known = sorted(
        (event for event in events if event.allocator_allocated_bytes is not None),
        key=lambda event: event.timestamp_ns,
    )
    if not known:
        raise ValueError("no event tells of any memory: there is nothing to draw")
    page = _Page(known)
    bands = list(page.bands(PhaseReplay(known).phases))
    height = TOP + HEIGHT + 40 + ROW * max((band.depth for band in bands), default=0) + 20
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="15">{escape(page.title())}</text>',
        *page.axes(),
        f'<polyline fill="none" stroke="#333" stroke-width="1.2" points="{page.line()}"/>',
        *(_drawn(band) for band in bands),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Page:
    """Where on the picture an instant and a number of bytes are."""

    def __init__(self, events: Sequence[TelemetryEvent]) -> None:
        self._events = events
        self._start_ns = events[0].timestamp_ns
        self._span_ns = max(1, events[-1].timestamp_ns - self._start_ns)
        self._highest_bytes = max(1, *(_bytes(event) for event in events))

    def title(self) -> str:
        first = self._events[0]
        device = first.collector if first.device_id is None else f"{first.collector}:{first.device_id}"
        return f"{device}, rank {first.rank}: at most {units.size(self._highest_bytes)}"

    def x(self, timestamp_ns: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (timestamp_ns - self._start_ns) / self._span_ns

    def y(self, count_bytes: float) -> float:
        return TOP + HEIGHT * (1 - count_bytes / self._highest_bytes)

    def line(self) -> str:
        """Of all readings in one column of the picture the lowest and the highest, so that no spike is lost."""
        columns: dict[int, list[TelemetryEvent]] = {}
        for event in self._events:
            columns.setdefault(int(self.x(event.timestamp_ns)), []).append(event)
        drawn: list[TelemetryEvent] = []
        for column in columns.values():
            ends = {id(each): each for each in (min(column, key=_bytes), max(column, key=_bytes), column[-1])}
            drawn += sorted(ends.values(), key=lambda event: event.timestamp_ns)
        return " ".join(f"{self.x(event.timestamp_ns):.1f},{self.y(_bytes(event)):.1f}" for event in drawn)

    def axes(self) -> Iterator[str]:
        for tick in range(TICKS + 1):
            share = tick / TICKS
            y = self.y(share * self._highest_bytes)
            yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            size = units.size(round(share * self._highest_bytes))
            yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{size}</text>'
            x = self.x(self._start_ns + round(share * self._span_ns))
            time = units.duration(round(share * self._span_ns))
            yield f'<text x="{x:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{escape(time)}</text>'

    def bands(self, phases: Iterable[ReplayedPhase]) -> Iterator[Band]:
        """The phases, row by row; neighbours of one name that are too narrow become one."""
        last: dict[int, Band] = {}
        for phase in phases:
            depth = len(phase.path)
            if depth > DEEPEST:
                continue
            band = Band(phase.name, depth, self.x(phase.start_ns), self.x(phase.end_ns))
            before = last.get(depth)
            if before is not None and _are_one(before, band):
                before.end_px = max(before.end_px, band.end_px)
                before.count += 1
                continue
            if before is not None:
                yield before
            last[depth] = band
        yield from last.values()


def _are_one(before: Band, band: Band) -> bool:
    is_narrow = band.end_px - band.start_px < LEAST_PX
    return before.name == band.name and is_narrow and band.start_px - before.end_px < LEAST_PX


def _bytes(event: TelemetryEvent) -> int:
    return event.allocator_allocated_bytes or 0


def _drawn(band: Band) -> str:
    y = TOP + HEIGHT + 30 + ROW * (band.depth - 1)
    width = max(LEAST_PX, band.end_px - band.start_px)
    name = escape(units.clean(band.name))
    told = name if band.count == 1 else f"{name} {units.TIMES}{band.count:,}"
    color = COLORS[sum(band.name.encode()) % len(COLORS)]
    box = f'<rect x="{band.start_px:.1f}" y="{y}" width="{width:.2f}" height="{ROW - 3}" fill="{color}"/>'
    fits = width > 7 * len(band.name)
    text = f'<text x="{band.start_px + 3:.1f}" y="{y + 14}" fill="white">{name}</text>' if fits else ""
    return f"<g>{box}{text}<title>{told}</title></g>"
