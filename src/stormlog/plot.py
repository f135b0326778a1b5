"""Memory over time with the phases below it, as a picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from cirron.errors import CirronDependencyError
from cirron.tree import units
from stormlog.course import Band, Course

WIDTH, HEIGHT = 1200, 360
LEFT, RIGHT, TOP = 90, 20, 40
ROW = 22  # of the phases of one depth
LEAST_PX = 0.5
TICKS = 5
COLORS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#9c755f")


def draw(course: Course, path: str | os.PathLike[str]) -> None:
    """Draw what the allocator held, and which phases were open.

    Args:
        course: of one session and rank.
        path: where to write the picture: as PNG where the name ends so, which takes matplotlib, or else as SVG.

    Raises:
        CirronDependencyError: there is no matplotlib.
        OSError: the file cannot be written.

    Example:
        draw(courses(tracker.events())[0], "memory.svg")
    """
    path = Path(path)
    if path.suffix.lower() == ".png":
        _draw_png(course, path)
    else:
        path.write_text(svg(course), encoding="utf-8")


def svg(course: Course) -> str:
    """The same as the text of an SVG picture.

    Args:
        course: of one session and rank.
    """
    page = _Page(course)
    height = TOP + HEIGHT + 40 + ROW * _rows(course) + 20
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="15">{escape(_title(course))}</text>',
        *page.axes(),
        f'<polyline fill="none" stroke="#333" stroke-width="1.2" points="{page.line()}"/>',
        *(page.drawn(band) for band in course.bands),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _rows(course: Course) -> int:
    return max((band.depth for band in course.bands), default=0)


def _title(course: Course) -> str:
    return f"{course.device}, rank {course.rank}: at most {units.size(course.highest_bytes)}"


def _told(band: Band) -> str:
    """What a band stands for."""
    each = (name if count == 1 else f"{name} {units.TIMES}{count:,}" for name, count in band.names.items())
    return units.clean(", ".join(each))


def _color(band: Band) -> str:
    return COLORS[sum(band.name.encode()) % len(COLORS)]


class _Page:
    """Where on the picture an instant and a number of bytes are."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._span_ns = max(1, course.end_ns - course.start_ns)
        self._highest_bytes = max(1, course.highest_bytes)

    def x(self, timestamp_ns: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (timestamp_ns - self._course.start_ns) / self._span_ns

    def y(self, count_bytes: float) -> float:
        return TOP + HEIGHT * (1 - count_bytes / self._highest_bytes)

    def line(self) -> str:
        points = self._course.points
        return " ".join(f"{self.x(at_ns):.1f},{self.y(count_bytes):.1f}" for at_ns, count_bytes in points)

    def axes(self) -> Iterator[str]:
        for tick in range(TICKS + 1):
            share = tick / TICKS
            y = self.y(share * self._highest_bytes)
            yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            size = units.size(round(share * self._highest_bytes))
            yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{size}</text>'
            x = self.x(self._course.start_ns + round(share * self._span_ns))
            time = units.duration(round(share * self._span_ns))
            yield f'<text x="{x:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{escape(time)}</text>'

    def drawn(self, band: Band) -> str:
        x, y = self.x(band.start_ns), TOP + HEIGHT + 30 + ROW * (band.depth - 1)
        width = max(LEAST_PX, self.x(band.end_ns) - x)
        name = escape(units.clean(band.name))
        box = f'<rect x="{x:.1f}" y="{y}" width="{width:.2f}" height="{ROW - 3}" fill="{_color(band)}"/>'
        fits = width > 7 * len(band.name)
        text = f'<text x="{x + 3:.1f}" y="{y + 14}" fill="white">{name}</text>' if fits else ""
        return f"<g>{box}{text}<title>{escape(_told(band))}</title></g>"


def _draw_png(course: Course, path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise CirronDependencyError(
            f"a PNG picture takes matplotlib, which cannot be imported: {error}; "
            "`pip install 'cirron[plot]'` installs it, and a name that ends in .svg needs nothing"
        ) from error
    rows = _rows(course)
    figure = Figure(figsize=(12, 4 + 0.22 * rows), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(16, max(1, rows)))
    above.plot(
        [(at_ns - course.start_ns) / 1e9 for at_ns, _ in course.points],
        [count_bytes / 1e6 for _, count_bytes in course.points],
        color="#333",
        linewidth=1,
    )
    above.set(title=_title(course), ylabel="MB", ylim=(0, None))
    for band in course.bands:
        _add(below, band, course)
    below.set(xlabel="s", ylim=(rows + 0.5, 0.5), yticks=[])
    figure.savefig(path, dpi=150)


def _add(below: Any, band: Band, course: Course) -> None:
    """A band of phases in the lower half of a PNG."""
    start_s, width_s = (band.start_ns - course.start_ns) / 1e9, (band.end_ns - band.start_ns) / 1e9
    below.broken_barh([(start_s, width_s)], (band.depth - 0.45, 0.9), color=_color(band))
    if width_s * 150 > len(band.name) * (course.end_ns - course.start_ns) / 1e9:
        name = units.clean(band.name).replace("$", r"\$")
        below.text(start_s, band.depth, f" {name}", va="center", color="white", fontsize=8, clip_on=True)
