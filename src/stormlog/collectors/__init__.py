"""Reading memory: one class per kind of device."""

from stormlog.collectors.choose import DEVICES, choose
from stormlog.collectors.reading import LIMIT, Collector, Reading

__all__ = ["DEVICES", "LIMIT", "Collector", "Reading", "choose"]
