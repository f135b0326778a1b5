"""Writes a bundle when memory runs out, once for each time, and never fails itself."""

from __future__ import annotations

import threading
from pathlib import Path

from cirron.faults import Faults
from stormlog.alerts import REARM_SHARE
from stormlog.history import EventHistory
from stormlog.ledger import Ledger
from stormlog.oom.bundle import EVENTS, Bundle, write_bundle
from stormlog.oom.causes import is_out_of_memory

MOST = 3  # bundles of a session; a program that lives on after each must not fill the disk
NOTE = "stormlog: what was known of the memory is in "


class OomRecorder:
    """The bundles of one session.

    Args:
        folder: where bundles go; None for nowhere.
        near_share: how full a control group is when it counts as nearly full.
        history: the events.
        ledger: the phases.
        faults: counts what goes wrong.
    """

    def __init__(
        self, folder: Path | None, near_share: float, history: EventHistory, ledger: Ledger, faults: Faults
    ) -> None:
        self._folder = folder
        self._near_share = near_share
        self._history = history
        self._ledger = ledger
        self._faults = faults
        self._lock = threading.RLock()
        self._written = 0
        self._is_near = False

    def look_at(self, error: BaseException | None) -> None:
        """An exception that is on its way; one that says that memory is out gets a bundle, and a note where that is."""
        if error is None or not is_out_of_memory(error) or _is_noted(error):
            return
        place = self._write(f"{type(error).__name__}: {str(error)[:200]}", error)
        if place is not None:
            error.add_note(f"{NOTE}{place}")

    def check(self, used_share: float | None) -> None:
        """How full the control group is that would end the process; None where there is none."""
        if used_share is None:
            return
        slack_share = REARM_SHARE if self._is_near else 0.0
        was_near, self._is_near = self._is_near, used_share >= self._near_share - slack_share
        if self._is_near and not was_near:
            self._write(f"the control group is {used_share:.0%} full", None)

    def _write(self, cause: str, error: BaseException | None) -> Path | None:
        with self._lock:
            if self._folder is None or self._written >= MOST:
                return None
            self._written += 1
            try:
                return write_bundle(self._folder, self._bundle(cause, error))
            except Exception as fault:  # noqa: BLE001 - the program has troubles enough
                self._faults.note("oom", fault, f"no bundle about the memory was written in {self._folder}")
                return None

    def _bundle(self, cause: str, error: BaseException | None) -> Bundle:
        return Bundle(
            cause=cause,
            error=error,
            events=self._history.newest(EVENTS),
            open_phases=self._ledger.open_phases(),
            ledger=self._ledger.totals(),
        )


def _is_noted(error: BaseException) -> bool:
    return any(str(note).startswith(NOTE) for note in getattr(error, "__notes__", ()))
