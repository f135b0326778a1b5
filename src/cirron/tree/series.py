"""The marks of one name in one scope: the last one as it was made, and the course of the numbers."""

from __future__ import annotations

from array import array

from cirron.spool.records import AnyMark

MOST_POINTS = 8192  # kept of a series; beyond, every second goes, and so on: a picture has a few hundred


class Series:
    """A mark's values over time.

    Attributes:
        count: how many marks there were.
        last: the newest of them.
        first_ns: when the oldest was made.
        times_ns, values: the numbers among them, infinities and not-a-numbers too, or an even choice of these where
            there are many; see `points`.
    """

    __slots__ = ("_skip", "_stride", "count", "first_ns", "last", "times_ns", "values")

    def __init__(self) -> None:
        self.count = 0
        self.last: AnyMark | None = None
        self.first_ns = 2**63 - 1
        self.times_ns = array("q")
        self.values = array("d")
        self._stride = 1
        self._skip = 0

    def add(self, mark: AnyMark) -> None:
        """Take in one more mark, in whatever order they come."""
        self.count += 1
        if self.last is None or mark.ts_ns >= self.last.ts_ns:
            self.last = mark
        if mark.ts_ns < self.first_ns:
            self.first_ns = mark.ts_ns
        value = mark.value if mark.value_nonfinite is None else float(mark.value_nonfinite)
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._skip += 1
            if self._skip >= self._stride:
                self._skip = 0
                self._append(mark.ts_ns, value)

    def merge(self, other: Series) -> None:
        """Take in all of another series."""
        self.count += other.count
        if self.last is None or (other.last is not None and other.last.ts_ns >= self.last.ts_ns):
            self.last = other.last
        self.first_ns = min(self.first_ns, other.first_ns)
        self._stride = max(self._stride, other._stride)
        for ts_ns, value in zip(other.times_ns, other.values, strict=True):
            self._append(ts_ns, value)

    def points(self) -> list[tuple[int, float]]:
        """The numbers with their times, in the order of time."""
        return sorted(zip(self.times_ns, self.values, strict=True), key=lambda point: point[0])

    def _append(self, ts_ns: int, value: float) -> None:
        try:
            self.values.append(value)
        except OverflowError:  # an integer beyond any float, which no picture can show
            return
        self.times_ns.append(ts_ns)
        if len(self.values) > MOST_POINTS:
            self.times_ns, self.values = self.times_ns[::2], self.values[::2]
            self._stride *= 2
