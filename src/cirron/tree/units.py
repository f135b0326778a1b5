"""Numbers and names as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

TIMES = "×"  # noqa: RUF001  # a multiplication sign is meant
_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_TO_ASCII = str.maketrans(
    {"├": "|", "└": "`", "│": "|", "─": "-", "█": "#", TIMES: "x", "…": "~", "·": "|", "≥": ">", "µ": "u"}
    | {"→": ">", "▲": "^", "▼": "v", "±": "~"}
    | dict.fromkeys("▏▎▍▌", " ")
    | dict.fromkeys("▋▊▉", "#")
    | dict(zip(_LEVELS[:-1], "_.-=+*%", strict=True))
)


def duration(ns: float) -> str:
    """Three digits and a unit that fits: `812 ns`, `1.32 ms`, `4 min 05 s`, `3 h 20 min`."""
    seconds = round(ns / 1e9)
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
    if seconds >= 100:
        return f"{seconds // 60} min {seconds % 60:02} s"
    for unit_ns, unit in _UNITS:
        if ns >= unit_ns * 0.9995:
            return f"{three_digits(ns / unit_ns)} {unit}"
    return f"{round(ns)} ns"


def instant(time_ns: int) -> str:
    """A time since 1970 in UTC, to the millisecond that had begun: `2026-04-18T04:29:58.051Z`."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest_ns // 1_000_000:03}Z"


def three_digits(value: float) -> str:
    """`1.23`, `12.3`, `123`: for a value between 1 and 1000."""
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def size(count_bytes: int) -> str:
    """`512 B`, `1.50 GB`, in powers of 1000 as disks are sold."""
    value = float(count_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 999.5:
            return f"{round(value)} B" if unit == "B" else f"{three_digits(value)} {unit}"
        value /= 1000
    return f"{three_digits(value)} TB"


def counted(count: int, noun: str) -> str:
    """`1 span`, `1,021 spans`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def percent(share: float) -> str:
    """`33 %`, and `<1 %` for a little that is not nothing."""
    return "<1 %" if 0 < share < 0.01 else f"{round(share * 100)} %"


def fine_percent(share: float) -> str:
    """A small share with two decimals: `0.02 %`."""
    return "<0.01 %" if 0 < share < 0.0001 else f"{share * 100:.2f} %"


def bar(share: float, cells: int) -> str:
    """A bar of at most `cells` characters, exact to an eighth of one; a little is never drawn as nothing."""
    eighths = round(min(1.0, share) * cells * 8)
    eighths = max(eighths, 1) if share > 0 else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def sparkline(values: Sequence[float], cells: int = 10) -> str:
    """The course of a series in block characters; neighbours are averaged when there are more than fit."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    points = _averaged(finite, cells)
    low, high = min(points), max(points)
    if not high > low:
        return _LEVELS[3] * len(points)
    return "".join(_LEVELS[min(7, int((point - low) / (high - low) * 8))] for point in points)


def _averaged(values: Sequence[float], cells: int) -> list[float]:
    if len(values) <= cells:
        return list(values)
    edges = [position * len(values) // cells for position in range(cells + 1)]
    # Divide first: the sum of huge values may overflow.
    return [sum(v / (end - start) for v in values[start:end]) for start, end in pairwise(edges)]


def value(recorded: object) -> str:
    """A mark's or an attribute's value in few characters."""
    return cut(whole_value(recorded), 40)


def whole_value(recorded: object) -> str:
    """The same, however long: a number in few digits, and everything else in full."""
    return f"{recorded:.4g}" if isinstance(recorded, float) else clean(str(recorded))


def name(recorded: str) -> str:
    """A name that can be seen: one of nothing but spaces is put in quotes."""
    return clean(recorded) if recorded.strip() else f"'{clean(recorded)}'"


def clean(text: str) -> str:
    r"""The text with what would move the cursor, ring, or turn the line around spelled out: `\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def cut(text: str, cells: int) -> str:
    """The text in at most so many terminal cells, `…` at its end where something was left out."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(0, cells - 1)).rstrip() + "…"


def ascii_only(text: str) -> str:
    """Line drawing and blocks in plain characters, for a terminal that knows no others."""
    return text.translate(_TO_ASCII)


def spelled(text: str, encoding: str) -> str:
    """The text with what an encoding does not know spelled out, but for what `ascii_only` has a character for."""
    if text.isascii() or _is_known(text, encoding):
        return text
    return "".join(c if ord(c) in _TO_ASCII or _is_known(c, encoding) else _escaped(c) for c in text)


def encodable(text: str, encoding: str) -> str:
    """The text in characters that an encoding knows: plain ones for lines and blocks, escapes for the rest."""
    if _is_known(text, encoding):
        return text
    return ascii_only(spelled(text, encoding))


def _is_known(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
