"""All faults."""

from faults import (
    clock,
    crowds,
    disk,
    endings,
    hostile_python,
    memory,
    network,
    platform_run,
    process,
    removal,
    workers,
)

FAMILIES = {
    "disk": disk.FAULTS,
    "removal": removal.FAULTS,
    "memory": memory.FAULTS,
    "process": process.FAULTS,
    "clock": clock.FAULTS,
    "crowds": crowds.FAULTS,
    "network": network.FAULTS,
    "platform": platform_run.FAULTS,
    "hostile": hostile_python.FAULTS,
    "endings": endings.FAULTS,
    "workers": workers.FAULTS,
}
FAULTS = [fault for faults in FAMILIES.values() for fault in faults]
