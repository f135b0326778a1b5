"""Memory that is needed within a phase only: what a smaller batch, or another order of work, would save."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cirron.tree import units
from stormlog.analysis.findings import Finding
from stormlog.analysis.passes import Pass, Path
from stormlog.phases.runtime import PATH_SEPARATOR

LEAST_BYTES = 32 << 20
LEAST_SHARE = 0.1  # of the memory at the end


def transient_peaks(by_path: dict[Path, list[Pass]]) -> Iterator[Finding]:
    """The paths with a peak of their own well above what was there before and after."""
    for of_path in by_path.values():
        highest = max(of_path, key=lambda each: each.own_excess_bytes)
        if highest.own_excess_bytes >= max(LEAST_BYTES, LEAST_SHARE * highest.exit_bytes):
            yield _finding(highest, of_path)


def _finding(highest: Pass, of_path: Sequence[Pass]) -> Finding:
    excess_bytes = highest.peak_bytes - max(highest.entry_bytes, highest.exit_bytes)
    phase = highest.phase
    many = [each for each in of_path if 2 * each.own_excess_bytes >= highest.own_excess_bytes]
    says = (
        f"{PATH_SEPARATOR.join(phase.path)} needs {units.size(excess_bytes)} more within than before and after, "
        f"seen in {len(many)} of {units.counted(len(of_path), 'repetition')}"
    )
    return Finding(
        kind="transient_peak",
        session_id=phase.session_id,
        rank=phase.rank,
        path=phase.path,
        value_bytes=excess_bytes,
        says=says,
        evidence={
            "entry_bytes": highest.entry_bytes,
            "peak_bytes": highest.peak_bytes,
            "exit_bytes": highest.exit_bytes,
            "peak_source": highest.peak_source,
            "at_ns": phase.start_ns,
            "seen": len(many),
            "repetitions": len(of_path),
        },
    )
