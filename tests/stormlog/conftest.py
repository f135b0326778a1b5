"""What the tests of the tracker share."""

import threading
import time

import pytest

from stormlog import MemoryTracker
from support.memory_devices import Device

HUNG_S = 60


@pytest.fixture(autouse=True)
def no_sampler_left():
    """No test leaves a thread behind."""
    yield
    assert [each.name for each in threading.enumerate() if each.name.startswith("stormlog")] == []


@pytest.fixture
def device(monkeypatch):
    """The device that trackers of this test look at."""
    device = Device(held_mb=100)
    monkeypatch.setattr("stormlog.tracker.choose", lambda *_: device)
    return device


@pytest.fixture
def tracker(device):
    """A tracker that is tracking and takes no samples by itself."""
    with MemoryTracker(sampling_interval_ms=3_600_000) as tracker:
        yield tracker


@pytest.fixture
def wait_until():
    """Waits for a condition."""

    def wait(condition):
        deadline_s = time.monotonic() + HUNG_S
        while not condition():
            assert time.monotonic() < deadline_s, "this never came true"
            threading.Event().wait(0.001)

    return wait
