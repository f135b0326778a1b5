"""What an analysis gives: findings, each with its evidence, and what it declines to say, with the reason."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Kind = Literal["growth", "transient_peak", "fragmentation", "outside_allocator"]


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong, or worth knowing.

    Args:
        kind: `growth` for memory that a phase keeps at each repetition, `transient_peak` for what is needed within a
            phase only, `fragmentation` for what the allocator holds in pieces nobody can use, `outside_allocator` for
            what else grows on the device.
        session_id: the tracker's session.
        rank: of its process.
        path: the phase; empty where it is about the whole process.
        value_bytes: how much; of growth, at each repetition.
        says: all of that as a sentence.
        evidence: the numbers behind it.
    """

    kind: Kind
    session_id: str
    rank: int
    path: tuple[str, ...]
    value_bytes: int
    says: str
    evidence: dict[str, Any]


class Abstention(Struct, frozen=True, kw_only=True):
    """Something that the events cannot tell; the fields are those of a finding."""

    kind: Kind
    session_id: str
    rank: int
    path: tuple[str, ...]
    reason: str


class PhaseRow(Struct, frozen=True, kw_only=True):
    """All phases of one path in numbers; None is what no event tells.

    Args:
        session_id: the tracker's session.
        rank: of its process.
        path: the phase.
        count: how often it was left.
        growth_bytes: by how much all of them together grew.
        peak_bytes: the highest of their peaks.
        last_exit_bytes: the memory when the last one was left.
    """

    session_id: str
    rank: int
    path: tuple[str, ...]
    count: int
    growth_bytes: int | None
    peak_bytes: int | None
    last_exit_bytes: int | None


class Report(Struct, frozen=True, kw_only=True):
    """All that an analysis gives.

    Args:
        phases: the numbers, in the order in which the phases began.
        findings: those of growth first, the largest before the others.
        abstentions: what could not be told.
    """

    phases: list[PhaseRow]
    findings: list[Finding]
    abstentions: list[Abstention]
