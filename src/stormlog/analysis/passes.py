"""The phases of one session as the analysis wants them: by path, each with what it and only it did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from cirron.spool.telemetry_event import TelemetryEvent
from stormlog.collectors import ANONYMOUS_BYTES, HEAP_BYTES, TRACKER_BYTES
from stormlog.phase_memory import CANCELLED, PHASE_MEMORY
from stormlog.phases.replay import ReplayedPhase

Path = tuple[str, ...]
Kept = Callable[[TelemetryEvent], int | None]


class _Known(Struct):
    """What the exit of a phase must tell."""

    entry_bytes: int
    exit_bytes: int
    peak_bytes: int
    peak_source: str


class Pass(Struct):
    """One time through a phase, with the memory known at both ends.

    Args:
        phase: what was replayed.
        entry_bytes: when it was entered.
        exit_bytes: when it was left.
        peak_bytes: the highest in between.
        peak_source: how that is known.
        kept_bytes: what belongs to the program's own objects when it was left.
        growth_bytes: by how much that is more than when it was entered.
        inner_growth_bytes: what phases directly within it grew.
        inner_peak_bytes: the highest of these.
    """

    phase: ReplayedPhase
    entry_bytes: int
    exit_bytes: int
    peak_bytes: int
    peak_source: str
    kept_bytes: int
    growth_bytes: int
    inner_growth_bytes: int = 0
    inner_peak_bytes: int = 0

    @property
    def own_growth_bytes(self) -> int:
        """The same without phases within it."""
        return self.growth_bytes - self.inner_growth_bytes

    @property
    def own_excess_bytes(self) -> int:
        """By how much its peak exceeds what was there before and after, and the peaks within it."""
        return self.peak_bytes - max(self.entry_bytes, self.exit_bytes, self.inner_peak_bytes)


def passes(phases: Iterable[ReplayedPhase], kept: Kept | None = None) -> dict[Path, list[Pass]]:
    """The passes of one session by path, in the order of their ends; those not known at both ends are left out.

    Args:
        phases: of one session.
        kept: what tells from a reading how much the program keeps; None for `resident`.
    """
    kept = kept or resident
    by_id = {phase.scope_id: each for phase in phases if (each := _pass(phase, kept)) is not None}
    by_path: defaultdict[Path, list[Pass]] = defaultdict(list)
    for each in by_id.values():
        by_path[each.phase.path].append(each)
        around = by_id.get(each.phase.parent_scope_id or "")
        if around is not None:
            around.inner_growth_bytes += each.growth_bytes
            around.inner_peak_bytes = max(around.inner_peak_bytes, each.peak_bytes)
    for of_path in by_path.values():
        of_path.sort(key=lambda each: each.phase.end_ns)
    return dict(by_path)


def overlap(phases: Iterable[ReplayedPhase]) -> bool:
    """Whether several threads or tasks were in phases at the same time, so that growth is nobody's for sure."""
    until_ns = 0
    for phase in sorted(phases, key=lambda phase: phase.start_ns):
        if len(phase.path) == 1:
            if phase.start_ns < until_ns:
                return True
            until_ns = phase.end_ns
    return False


def _pass(phase: ReplayedPhase, kept: Kept) -> Pass | None:
    if phase.enter is None or phase.exit is None or is_cancelled(phase):
        return None
    try:
        known = msgspec.convert(phase.exit.metadata.get(PHASE_MEMORY), _Known)
    except msgspec.ValidationError:  # a reading failed at one of the ends
        return None
    before_bytes, after_bytes = kept(phase.enter), kept(phase.exit)
    if before_bytes is None or after_bytes is None:
        return None
    return Pass(
        phase=phase,
        entry_bytes=known.entry_bytes,
        exit_bytes=known.exit_bytes,
        peak_bytes=known.peak_bytes,
        peak_source=known.peak_source,
        kept_bytes=after_bytes,
        growth_bytes=after_bytes - before_bytes,
    )


def is_cancelled(phase: ReplayedPhase) -> bool:
    """Whether it was the phase of a scope that a hook has taken back."""
    return phase.exit is not None and CANCELLED in phase.exit.metadata


def resident(event: TelemetryEvent) -> int | None:
    """Without pages of files, which the kernel takes back as it likes, and without what the tracker itself holds."""
    return _without_tracker(event, event.metadata.get(ANONYMOUS_BYTES, event.allocator_allocated_bytes))


def heap(event: TelemetryEvent) -> int | None:
    """What the C library has handed out; None on a device, whose allocator counts itself, and where it is unknown."""
    return _without_tracker(event, event.metadata.get(HEAP_BYTES))


def _without_tracker(event: TelemetryEvent, count_bytes: object) -> int | None:
    of_tracker = event.metadata.get(TRACKER_BYTES, 0)
    if not isinstance(count_bytes, int) or not isinstance(of_tracker, int):
        return None
    return count_bytes - of_tracker
