"""What each phase of a session has done to the memory so far, and which phases are open."""

from __future__ import annotations

import threading
from typing import Any

from msgspec import Struct, structs

from stormlog.phases.runtime import PATH_SEPARATOR, PHASE_SCOPE, PhaseBoundary


class Totals(Struct):
    """Of all phases with one path that were left; bytes are of those whose memory is known."""

    count: int = 0
    growth_bytes: int = 0
    highest_peak_bytes: int | None = None
    last_exit_bytes: int | None = None

    def add(self, memory: dict[str, Any]) -> None:
        """One more was left, with this effect."""
        self.count += 1
        self.growth_bytes += memory["growth_bytes"] or 0
        if memory["peak_bytes"] is not None:
            self.highest_peak_bytes = max(self.highest_peak_bytes or 0, memory["peak_bytes"])
        if memory["exit_bytes"] is not None:
            self.last_exit_bytes = memory["exit_bytes"]


class Ledger:
    """Kept by whoever enters and leaves phases, in any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant: a signal handler may enter a phase while its thread does
        self._open: dict[str, dict[str, Any]] = {}
        self._totals: dict[str, Totals] = {}

    def enter(self, boundary: PhaseBoundary, entry_bytes: int | None) -> None:
        """A phase was entered."""
        with self._lock:
            self._open[boundary.scope_id] = {**boundary.metadata[PHASE_SCOPE], "entry_bytes": entry_bytes}

    def leave(self, boundary: PhaseBoundary, memory: dict[str, Any]) -> None:
        """A phase was left, with this effect on the memory."""
        with self._lock:
            self._open.pop(boundary.scope_id, None)
            self._totals.setdefault(PATH_SEPARATOR.join(boundary.path), Totals()).add(memory)

    def open_phases(self) -> list[dict[str, Any]]:
        """The phases that are open, of all threads and tasks, those entered first before the others."""
        with self._lock:
            return list(self._open.values())

    def totals(self) -> dict[str, dict[str, Any]]:
        """By path, what phases did."""
        with self._lock:
            return {path: structs.asdict(totals) for path, totals in self._totals.items()}
