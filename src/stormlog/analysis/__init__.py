"""What telemetry events say about a run: which phase grew, what peaked, and what cannot be told."""

from stormlog.analysis.analyze import analyze
from stormlog.analysis.findings import Abstention, Finding, PhaseRow, Report

__all__ = ["Abstention", "Finding", "PhaseRow", "Report", "analyze"]
