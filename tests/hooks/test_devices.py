"""Measuring on a CUDA device. There is none here: `support.device` stands for it, and for torch's way to it."""

from pathlib import Path

import pytest

import cirron as ci
from cirron import session as sessions
from cirron.hooks.torch import device_memory, device_times, devices
from cirron.hooks.torch.captures import Captures
from support.device import Device, Memory, make_core, make_cuda, peak
from support.spool_pictures import batches_of

MB = 1_000_000


class Program:
    """A session on a device, and what the spool says of its spans."""

    def __init__(self, is_initialized=True):
        self.device = Device()
        self.memory = Memory()
        self.other_memory = Memory()
        self.cuda = make_cuda(self.device, is_initialized)
        self.core = make_core(self.memory, self.other_memory)
        self.before = (dict(vars(self.cuda)), dict(vars(self.core)), dict(vars(self.cuda.CUDAGraph)))
        ci.profile(frameworks=[])
        self.hooks = devices.DeviceHooks(sessions._default._target(), self.cuda, self.core)
        self.hooks.install()

    def end(self):
        self.hooks.remove()
        ci.shutdown()

    def is_as_before(self):
        return self.before == (dict(vars(self.cuda)), dict(vars(self.core)), dict(vars(self.cuda.CUDAGraph)))

    def spans(self):
        """`(name, gpu_ns, memory_peak_bytes)` of each, in the order of their ends."""
        spans = (span for batch in batches_of(Path(".cirron/spool")) for span in batch.spans)
        return [
            (each.name, each.gpu_ns, each.memory_peak_bytes) for each in spans if each.parent_id is not None
        ]


@pytest.fixture
def program():
    program = Program()
    yield program
    program.end()


class TestTime:
    def test_is_that_between_the_beginning_and_the_end_in_the_devices_queue(self, program):
        with ci.scope("step"):
            program.device.work(1000)
            with ci.scope("forward"):
                program.device.work(500)
            program.device.work(30)
        program.device.finish()
        ci.flush()
        assert [(name, gpu_ns) for name, gpu_ns, _ in program.spans()] == [("forward", 500), ("step", 1530)]

    def test_is_waited_for_without_holding_up_the_program(self, program):
        with ci.scope("step"):
            program.device.work(1000)
        recorder = sessions._default._recorder
        program.device.advance(999)
        assert [value.ready() for _, value in recorder.take_deferred()] == [False]
        program.device.advance(1)
        assert [value.ready() for _, value in recorder.take_deferred()] == [True]

    def test_that_does_not_come_in_time_is_null(self, program, monkeypatch):
        monkeypatch.setattr(device_times, "LAST_S", 0.0)
        with ci.scope("step"):
            program.device.work(1000)
        ci.flush()
        assert program.spans() == [("step", None, 0)]

    def test_takes_no_more_events_than_there_are_times_on_their_way(self, program):
        for _ in range(50):
            with ci.scope("step"), ci.scope("forward"):
                program.device.work(10)
            program.device.finish()
            ci.flush()
        assert program.device.events <= 4

    def test_is_not_measured_while_too_many_are_on_their_way(self, program, monkeypatch):
        monkeypatch.setattr(device_times, "MOST", 2)
        times = device_times.DeviceTimes(program.cuda, Captures(program.cuda))
        held = [times.end(times.begin()) for _ in range(2)]
        assert times.begin() is None
        held.clear()  # by whoever has read them, or has dropped their spans
        assert times.begin() is not None

    def test_between_two_devices_is_none(self, program):
        with ci.scope("step"):
            program.cuda.device = 1
        program.cuda.device = 0
        ci.flush()
        assert [gpu_ns for _, gpu_ns, _ in program.spans()] == [None]

    def test_while_a_graph_is_captured_no_event_is_recorded_and_none_is_asked(self, program, monkeypatch):
        monkeypatch.setattr(device_times, "LAST_S", 0.0)
        graph = program.cuda.CUDAGraph()
        with ci.scope("step"):
            with ci.scope("forward"):
                program.device.work(10)
            program.device.finish()
            graph.capture_begin()
            with ci.scope("backward"):
                pass
            waiting = sessions._default._recorder.take_deferred()
            assert [value.ready() for _, value in waiting] == [False]
            graph.capture_end()
        ci.flush()
        assert [(name, gpu_ns) for name, gpu_ns, _ in program.spans()] == [
            ("forward", 10),
            ("backward", None),
            ("step", 10),
        ]

    def test_after_a_capture_that_could_not_begin_it_goes_on(self, program):
        with pytest.raises(TypeError):
            program.cuda.CUDAGraph().capture_begin("a pool that is none")
        with ci.scope("step"):
            program.device.work(10)
        program.device.finish()
        ci.flush()
        assert program.spans() == [("step", 10, 0)]


class TestMemory:
    def test_of_a_scope_is_the_most_in_use_within_it(self, program):
        program.memory.change(100 * MB)
        with ci.scope("step"):
            with ci.scope("forward"):
                program.memory.change(10 * MB)
                program.memory.change(-10 * MB)
            program.memory.change(-90 * MB)
            with ci.scope("backward"):
                program.memory.change(5 * MB)
        program.device.finish()
        ci.flush()
        assert [(name, memory) for name, _, memory in program.spans()] == [
            ("forward", 110 * MB),
            ("backward", 15 * MB),
            ("step", 110 * MB),
        ]

    def test_the_users_own_readings_are_as_without(self, program):
        program.memory.change(100, "reserved_bytes")
        program.memory.change(100)
        with ci.scope("step"):
            program.memory.change(-60)
            program.memory.change(-100, "reserved_bytes")
        stats = program.core._cuda_memoryStats(0)
        assert (peak(stats), peak(stats, "reserved_bytes")) == (100, 100)
        program.core._cuda_resetPeakMemoryStats(0)
        assert peak(program.core._cuda_memoryStats(0)) == 40

    def test_a_reset_of_the_users_takes_nothing_from_an_open_scope(self, program):
        with ci.scope("step"):
            program.memory.change(70)
            program.memory.change(-70)
            program.core._cuda_resetPeakMemoryStats(0)
            assert peak(program.core._cuda_memoryStats(0)) == 0
        ci.flush()
        assert program.spans() == [("step", 0, 70)]

    def test_each_device_has_its_own(self, program):
        program.cuda.device = 1
        with ci.scope("step"):
            program.memory.change(10)
            program.other_memory.change(20)
        ci.flush()
        assert program.spans() == [("step", 0, 20)]
        assert [peak(program.core._cuda_memoryStats(device)) for device in (0, 1)] == [10, 20]

    def test_is_not_asked_for_where_asking_would_take_too_long(self, program, monkeypatch):
        monkeypatch.setattr(device_memory, "_PART", 0.0)
        monkeypatch.setattr(device_memory, "_AT_FIRST_NS", 0)
        memory = device_memory.DeviceMemory(program.core, program.cuda, None)
        begun = memory.begin()
        assert memory.end(begun) == 0
        assert memory.begin() is None

    def test_statistics_of_another_shape_are_passed_on_and_reported(self, program):
        with ci.scope("step"):
            pass
        program.memory.read = lambda: {"allocated_bytes": {"peak": "many"}}
        assert program.core._cuda_memoryStats(0) == {"allocated_bytes": {"peak": "many"}}
        assert "hooks.torch" in str(ci.health())


class TestBeginning:
    def test_is_when_the_program_initialises_the_devices(self):
        program = Program(is_initialized=False)
        with ci.scope("step"):
            pass
        program.cuda._lazy_init()
        program.cuda._lazy_init()
        with ci.scope("step"):
            program.memory.change(10)
        program.end()
        (_, _, resident), of_device = program.spans()
        assert (resident > MB, of_device) == (True, ("step", 0, 10))

    @pytest.mark.parametrize("is_initialized", [True, False])
    def test_its_end_leaves_everything_as_it_was(self, is_initialized):
        program = Program(is_initialized)
        assert not program.is_as_before()
        program.hooks.remove()
        assert program.is_as_before()
        ci.shutdown()

    def test_a_release_that_nobody_knows_is_reported_and_left_alone(self, caplog):
        program = Program(is_initialized=False)
        del program.core._cuda_memoryStats
        before = dict(vars(program.cuda.CUDAGraph))
        program.cuda._lazy_init()
        assert program.cuda.is_initialized()
        assert vars(program.cuda.CUDAGraph) == before
        assert "no time and no memory of devices is measured" in caplog.text
        program.end()
