"""Alerts: a call to the user when the device fills up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from cirron.faults import Faults
from cirron.spool.telemetry_event import TelemetryEvent

Level = Literal["warning", "critical"]

REARM_SHARE = 0.02  # a share must fall so far below its threshold before it can raise the alert again


class Alert(Struct, frozen=True, kw_only=True):
    """The device has become fuller than a threshold.

    Args:
        level: `warning` or `critical`.
        used_share: how full it is, from 0 to 1.
        threshold_share: what it has passed.
        event: the reading that showed it.
    """

    level: Level
    used_share: float
    threshold_share: float
    event: TelemetryEvent


class Alarm:
    """Calls back once for each time that a threshold is passed; exceptions of the callback are counted.

    Args:
        warning_share: the lower threshold.
        critical_share: the upper one.
        callback: whom to call; None for nobody.
        faults: where exceptions are counted.
    """

    def __init__(
        self,
        warning_share: float,
        critical_share: float,
        callback: Callable[[Alert], object] | None,
        faults: Faults,
    ) -> None:
        self._thresholds: tuple[tuple[Level, float], ...] = (
            ("warning", warning_share),
            ("critical", critical_share),
        )
        self._callback = callback
        self._faults = faults
        self._lock = threading.RLock()
        self._passed = 0

    def check(self, used_share: float | None, event: TelemetryEvent) -> None:
        """Look at a reading, and call if it is the first above a threshold."""
        if self._callback is None or used_share is None:
            return
        with self._lock:
            before, self._passed = self._passed, self._level_at(used_share)
            level = self._passed
        if level > before:
            name, threshold_share = self._thresholds[level - 1]
            self._call(
                Alert(level=name, used_share=used_share, threshold_share=threshold_share, event=event),
                self._callback,
            )

    def _level_at(self, used_share: float) -> int:
        """How many thresholds count as passed; one that was passed before counts until well below it."""
        level = 0
        for number, (_, threshold_share) in enumerate(self._thresholds, 1):
            slack = REARM_SHARE if number <= self._passed else 0.0
            if used_share >= threshold_share - slack:
                level = number
        return level

    def _call(self, alert: Alert, callback: Callable[[Alert], object]) -> None:
        try:
            callback(alert)
        except Exception as error:  # noqa: BLE001 - the user's own, which may raise anything
            self._faults.note("alert", error, f"the callback for a {alert.level} about memory failed")
