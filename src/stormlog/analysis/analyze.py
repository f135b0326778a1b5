"""All that telemetry events say, put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from cirron.spool.telemetry_event import TelemetryEvent
from stormlog.analysis.findings import Abstention, Finding, PhaseRow, Report
from stormlog.analysis.gaps import gaps
from stormlog.analysis.growth import growth
from stormlog.analysis.passes import Pass, Path, heap, is_cancelled, overlap, passes
from stormlog.analysis.transient import transient_peaks
from stormlog.phases.replay import PhaseReplay, ReplayedPhase

_ORDER = ("growth", "outside_allocator", "fragmentation", "transient_peak")


def analyze(events: Iterable[TelemetryEvent]) -> Report:
    """Which phases keep memory, what they need at most, and what cannot be told, for each session and rank by itself.

    Args:
        events: of any number of sessions and ranks, in any order.

    Example:
        for finding in analyze(spooled_events(".cirron").events).findings:
            print(finding.says)
    """
    events = sorted(events, key=lambda event: event.timestamp_ns)
    of_session: defaultdict[tuple[str, int], list[TelemetryEvent]] = defaultdict(list)
    for event in events:
        of_session[event.session_id, event.rank].append(event)
    phases_of: defaultdict[tuple[str, int], list[ReplayedPhase]] = defaultdict(list)
    for phase in PhaseReplay(events).phases:
        phases_of[phase.session_id, phase.rank].append(phase)
    rows: list[PhaseRow] = []
    said: list[Finding | Abstention] = []
    for key, readings in of_session.items():
        by_path = passes(phases_of[key])
        rows += _rows(phases_of[key], by_path)
        said += [
            *growth(by_path, passes(phases_of[key], heap), overlap(phases_of[key])),
            *transient_peaks(by_path),
            *gaps(readings),
        ]
    findings = [each for each in said if isinstance(each, Finding)]
    findings.sort(key=lambda finding: (_ORDER.index(finding.kind), -finding.value_bytes))
    return Report(
        phases=rows, findings=findings, abstentions=[each for each in said if isinstance(each, Abstention)]
    )


def _rows(phases: Sequence[ReplayedPhase], by_path: dict[Path, list[Pass]]) -> list[PhaseRow]:
    """One for each path, in the order in which they began."""
    counts: dict[Path, int] = {}
    for phase in phases:
        counts[phase.path] = counts.get(phase.path, 0) + (phase.exit is not None and not is_cancelled(phase))
    return [_row(phases[0], path, count, by_path.get(path, [])) for path, count in counts.items()]


def _row(any_phase: ReplayedPhase, path: Path, count: int, of_path: Sequence[Pass]) -> PhaseRow:
    return PhaseRow(
        session_id=any_phase.session_id,
        rank=any_phase.rank,
        path=path,
        count=count,
        growth_bytes=sum(each.growth_bytes for each in of_path) if of_path else None,
        peak_bytes=max((each.peak_bytes for each in of_path), default=None),
        last_exit_bytes=of_path[-1].exit_bytes if of_path else None,
    )
