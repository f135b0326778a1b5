"""Reading memory: one class per kind of device."""

from stormlog.collectors.choose import DEVICES, choose
from stormlog.collectors.reading import (
    ANONYMOUS_BYTES,
    HEAP_BYTES,
    LIMIT,
    TRACKER_BYTES,
    Collector,
    Reading,
    WithoutPeaks,
)

__all__ = [
    "ANONYMOUS_BYTES",
    "DEVICES",
    "HEAP_BYTES",
    "LIMIT",
    "TRACKER_BYTES",
    "Collector",
    "Reading",
    "WithoutPeaks",
    "choose",
]
