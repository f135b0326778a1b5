"""Phases: named stretches of a program, between whose boundaries the memory is looked at."""

from stormlog.phases.runtime import (
    PhaseBoundary,
    PhaseHandle,
    PhaseProtocolError,
    PhaseRecorder,
    PhaseToken,
)

__all__ = ["PhaseBoundary", "PhaseHandle", "PhaseProtocolError", "PhaseRecorder", "PhaseToken"]
