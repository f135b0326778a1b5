"""What `stormlog` offers, and what it does not load."""

import subprocess
import sys

import stormlog
from stormlog.phases import runtime


def test_it_offers_the_documented_names():
    assert sorted(stormlog.__all__) == [
        "Alert", "EventFormatError", "MemoryTracker", "TelemetryEvent", "load_events", "save_events",
    ]  # fmt: skip
    assert sorted(runtime.__all__) == [
        "PhaseBoundary", "PhaseHandle", "PhaseProtocolError", "PhaseRecorder", "PhaseToken",
    ]  # fmt: skip
    assert all(hasattr(module, name) for module in (stormlog, runtime) for name in module.__all__)


def test_importing_it_loads_nothing_heavy_and_starts_no_thread():
    script = (
        "import sys, threading, stormlog; "
        "print(sorted(set(sys.modules) & {'torch', 'numpy', 'psutil', 'asyncio'}), threading.active_count())"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("[] 1\n", "")
