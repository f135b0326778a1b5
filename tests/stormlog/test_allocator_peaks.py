"""The peak of a phase on a GPU: its allocator's, whoever else asks. `support.device` stands for the GPU."""

from types import SimpleNamespace

import pytest

import cirron as ci
from cirron import session as sessions
from cirron.hooks.torch import devices
from stormlog import MemoryTracker
from stormlog.collectors.cuda import CudaCollector
from support.device import Device, Memory, make_core, make_cuda, peak


class Gpu:
    """What stands for torch with one GPU, and the allocator that the test changes."""

    def __init__(self):
        self.memory = Memory()
        self.cuda = make_cuda(Device())
        self.core = make_core(self.memory)
        self.cuda.memory_stats_as_nested_dict = self.core._cuda_memoryStats
        self.cuda.mem_get_info = lambda device: (600, 1000)
        self.cuda.device_memory_used = lambda device: 400
        self.before = dict(vars(self.core))
        self.torch = SimpleNamespace(cuda=self.cuda, _C=self.core, version=SimpleNamespace(hip=None))

    def needs(self, for_a_while, at_last=0):
        """Allocate, and free all but `at_last` of it."""
        self.memory.change(for_a_while)
        self.memory.change(at_last - for_a_while)

    def users_peak(self):
        return peak(self.core._cuda_memoryStats(0))


@pytest.fixture
def gpu(monkeypatch):
    """The GPU that trackers look at."""
    gpu = Gpu()
    monkeypatch.setattr("stormlog.tracker.choose", lambda *_: CudaCollector(gpu.torch, 0))
    return gpu


@pytest.fixture
def tracker(gpu):
    """A tracker that takes no samples by itself."""
    with MemoryTracker(sampling_interval_ms=3_600_000) as tracker:
        yield tracker


def peaks(tracker):
    """`(phase, peak, where that is from)` of each phase, in the order of their ends."""
    exits = [event.metadata for event in tracker.events() if event.event_type == "phase_exit"]
    memory = [(each["phase_scope"]["name"], each["phase_memory"]) for each in exits]
    return [(name, each["peak_bytes"], each["peak_source"]) for name, each in memory]


def test_is_that_between_readings_too(gpu, tracker):
    with tracker.phase("spike"):
        gpu.needs(300, at_last=20)
    with tracker.phase("calm"):
        gpu.needs(5)
    assert peaks(tracker) == [("spike", 300, "allocator"), ("calm", 25, "allocator")]


def test_of_phases_within_each_other_is_each_ones_own(gpu, tracker):
    with tracker.phase("outer"):
        gpu.needs(50)
        with tracker.phase("inner"):
            gpu.needs(10, at_last=10)
        gpu.needs(20)
    assert peaks(tracker) == [("inner", 10, "allocator"), ("outer", 50, "allocator")]


def test_leaves_the_users_own_reading_as_without(gpu, tracker):
    gpu.needs(100)
    with tracker.phase("step"):
        gpu.needs(30)
        assert gpu.users_peak() == 100
        gpu.core._cuda_resetPeakMemoryStats(0)
        assert gpu.users_peak() == 0
        gpu.needs(7)
    assert (gpu.users_peak(), peaks(tracker)) == (7, [("step", 30, "allocator")])


def test_is_told_beside_the_hooks_of_torch(gpu, tracker):
    """Both ask the same allocator, and whoever ends first takes nothing from the other."""
    ci.profile(frameworks=[])
    hooks = devices.DeviceHooks(sessions._default._target(), gpu.cuda, gpu.core)
    hooks.install()
    with tracker.phase("phase"), ci.scope("step"):
        gpu.needs(40)
    with tracker.phase("after"):
        hooks.remove()
        gpu.needs(60)
    ci.shutdown()
    assert peaks(tracker) == [("phase", 40, "allocator"), ("after", 60, "allocator")]
    assert gpu.users_peak() == 60


def test_leaves_no_trace_once_tracking_has_stopped(gpu, tracker):
    tracker.enter_phase("left open")
    assert vars(gpu.core) != gpu.before
    tracker.stop_tracking()
    assert vars(gpu.core) == gpu.before


def test_before_cuda_has_started_is_the_highest_reading(gpu, tracker):
    gpu.cuda.was_initialized = False
    with tracker.phase("load"):
        gpu.cuda.was_initialized = True
        gpu.needs(30, at_last=10)
    assert peaks(tracker) == [("load", 10, "sampled")]


def test_with_a_torch_that_nobody_knows_is_the_highest_reading(gpu, caplog):
    del gpu.core._cuda_memoryStats
    with MemoryTracker(sampling_interval_ms=3_600_000) as tracker:
        for _ in range(2):
            with tracker.phase("step"):
                gpu.needs(30, at_last=10)
    assert [source for _, _, source in peaks(tracker)] == ["sampled", "sampled"]
    assert tracker.health()["faults"] == {"collector": 1}
    assert "peaks are the highest of the readings" in caplog.text


def test_of_a_device_that_vanishes_within_is_the_highest_reading(gpu, tracker):
    with tracker.phase("step"):
        gpu.needs(30, at_last=10)
        gpu.memory.read = lambda: 1 / 0
    assert peaks(tracker) == [("step", 0, "sampled")]
    assert tracker.is_tracking
