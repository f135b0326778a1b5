"""Reading memory: one class per kind of device."""

from stormlog.collectors.choose import DEVICES, choose
from stormlog.collectors.reading import Collector, Reading

__all__ = ["DEVICES", "Collector", "Reading", "choose"]
