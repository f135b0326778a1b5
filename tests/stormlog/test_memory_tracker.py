"""`MemoryTracker`: sessions, phases with the memory at both ends, samples in between, and what goes wrong."""

import gc
import logging
import os
import threading
import weakref

import pytest

from stormlog import Alert, MemoryTracker, load_events, save_events
from stormlog.phases.runtime import PhaseProtocolError
from support.memory_devices import MB
from support.programs import run_program


def told(tracker):
    """Of each event what it is, of which phase, and how much was held."""
    return [
        (
            event.event_type,
            "/".join(event.metadata.get("phase_scope", {}).get("path", ())),
            event.allocator_allocated_bytes // MB,
        )
        for event in tracker.events()
    ]


def exit_of(tracker, name):
    """What the exit of the last phase of this name says of the memory."""
    exits = [event for event in tracker.events() if event.event_type == "phase_exit"]
    of_name = [event for event in exits if event.metadata["phase_scope"]["name"] == name]
    memory = of_name[-1].metadata["phase_memory"]
    return {key: value // MB if isinstance(value, int) else value for key, value in memory.items()}


def test_each_boundary_takes_a_reading_of_its_own(device, tracker):
    with tracker.phase("train"):
        device.held_mb = 150
        with tracker.phase("forward"):
            device.held_mb = 500
        device.held_mb = 120
    tracker.stop_tracking()
    assert told(tracker) == [
        ("sample", "", 100),
        ("phase_enter", "train", 100),
        ("phase_enter", "train/forward", 150),
        ("phase_exit", "train/forward", 500),
        ("phase_exit", "train", 120),
        ("sample", "", 120),
    ]


def test_an_exit_tells_what_the_phase_did(device, tracker):
    with tracker.phase("train"):
        device.held_mb = 500
        with tracker.phase("forward"):
            device.held_mb = 300
        device.held_mb = 120
    memory = {"entry_bytes": 100, "exit_bytes": 120, "growth_bytes": 20, "peak_bytes": 500}
    assert exit_of(tracker, "train") == memory | {"peak_source": "sampled"}


def test_samples_count_for_the_peak(device, tracker):
    with tracker.phase("train"):
        device.held_mb = 900
        tracker._session.sample()
        device.held_mb = 100
    assert exit_of(tracker, "train")["peak_bytes"] == 900


@pytest.mark.parametrize(
    ("peaks_mb", "peak"),
    [
        ((100, 700), (700, "high_water")),  # a new peak: it was in the phase, whether anybody looked or not
        ((800, 800), (500, "sampled")),  # an old peak: what was in the phase is only known where we looked
        ((500, 500), (500, "high_water")),  # as high as ever, so not higher in between
        ((800, 200), (500, "sampled")),  # somebody has reset it
        ((None, 700), (500, "sampled")),
    ],
)
def test_a_peak_says_where_it_is_from(device, tracker, peaks_mb, peak):
    device.peak_mb, at_exit_mb = peaks_mb
    with tracker.phase("train"):
        device.held_mb = 500
        with tracker.phase("inner"):
            pass
        device.held_mb, device.peak_mb = 100, at_exit_mb
    memory = exit_of(tracker, "train")
    assert (memory["peak_bytes"], memory["peak_source"]) == peak


def test_events_have_all_that_the_contract_names(device, monkeypatch):
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job")
    with MemoryTracker(sampling_interval_ms=5000) as tracker:
        device.held_mb = 130
        tracker.enter_phase("forward", {"step": 3, "model": device}).close()
        session_id = tracker.session_id
    save_events(tracker.events(), "memory.jsonl")
    first, entered, *_ = load_events("memory.jsonl")
    assert (first.context, first.allocator_change_bytes) == ("tracking started", None)
    assert (entered.session_id, entered.pid, entered.host) == (session_id, os.getpid(), os.uname().nodename)
    assert (entered.job_id, entered.rank, entered.local_rank, entered.world_size) == ("job", 3, 1, 4)
    assert (entered.collector, entered.device_id, entered.sampling_interval_ms) == ("cuda", 0, 5000)
    assert entered.allocator_change_bytes == 30 * MB
    assert (entered.device_used_bytes, entered.device_free_bytes) == (130 * MB, 870 * MB)
    assert (entered.allocator_reserved_bytes, entered.allocator_active_bytes) == (None, None)
    assert entered.metadata["phase_scope"]["attributes"] == {"step": 3, "model": "<Device>"}


def test_time_never_goes_back(tracker, monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: 0)
    tracker.enter_phase("forward").close()
    times_ns = [event.timestamp_ns for event in tracker.events()]
    assert times_ns == sorted(times_ns)
    assert times_ns[0] > 0


def test_samples_are_taken_in_the_background(device, wait_until):
    with MemoryTracker(sampling_interval_ms=1) as tracker:
        wait_until(lambda: len(tracker.events()) > 3)
        assert {event.event_type for event in tracker.events()} == {"sample"}


def test_to_start_and_stop_twice_is_as_good_as_once(device):
    tracker = MemoryTracker(sampling_interval_ms=3_600_000)
    tracker.stop_tracking()
    tracker.start_tracking()
    session_id = tracker.session_id
    tracker.start_tracking()
    assert tracker.session_id == session_id
    tracker.stop_tracking()
    tracker.stop_tracking()
    assert len(tracker.events()) == 2
    assert (tracker.is_tracking, tracker.session_id) == (False, None)


def test_each_start_is_a_session_of_its_own(tracker):
    before = tracker.enter_phase("abandoned")
    first = tracker.session_id
    tracker.stop_tracking()
    tracker.start_tracking()
    assert tracker.session_id != first
    with tracker.phase("train") as phase:
        assert phase.path == ("train",)
    with pytest.raises(PhaseProtocolError, match="reset"):
        before.close()


def test_a_phase_may_end_after_the_session(tracker):
    phase = tracker.enter_phase("train")
    tracker.stop_tracking()
    phase.close()
    assert told(tracker)[-1][:2] == ("phase_exit", "train")


def test_no_phase_without_a_session(device):
    tracker = MemoryTracker()
    with pytest.raises(RuntimeError, match=r"phase 'train' cannot .*call start_tracking\(\) first"):
        tracker.enter_phase("train")
    with pytest.raises(RuntimeError, match="start_tracking"), tracker.phase("train"):
        pass


@pytest.mark.parametrize(("name", "metadata"), [(" ", None), (3, None), ("train", "text"), ("train", [1])])
def test_a_phase_that_makes_no_sense_leaves_no_event(tracker, name, metadata):
    with pytest.raises(ValueError, match=r"^(name|metadata)="):
        tracker.enter_phase(name, metadata)
    assert len(tracker.events()) == 1
    with tracker.phase("next") as phase:
        assert phase.path == ("next",)


def test_no_event_keeps_what_a_user_tells_of_a_phase_alive(tracker):
    class Tensor:
        pass

    tensor = Tensor()
    gone = weakref.ref(tensor)
    told = {"input": tensor, "nested": {"list": [tensor, 1]}, "many": [0] * 1000, "text": "x" * 5000, 3: 0.5}
    tracker.enter_phase("train", told).close()
    del tensor, told
    assert gone() is None
    attributes = tracker.events()[-1].metadata["phase_scope"]["attributes"]
    assert attributes.pop("text") == "x" * 1000
    assert attributes == {
        "input": "<Tensor>",
        "nested": {"list": ["<Tensor>", 1]},
        "many": "<list>",
        "3": 0.5,
    }


def test_a_refused_close_leaves_no_event_and_the_phase_open(tracker):
    outer, inner = tracker.enter_phase("outer"), tracker.enter_phase("inner")
    with pytest.raises(PhaseProtocolError, match="not the innermost"):
        outer.close()
    assert len(tracker.events()) == 3
    inner.close()
    assert outer.close().path == ("outer",)
    assert outer.close() is None


def test_an_exception_of_a_block_is_passed_on(tracker):
    with pytest.raises(KeyError) as raised, tracker.phase("train"):
        raise KeyError("the user's")
    assert raised.value.__context__ is None
    assert told(tracker)[-1][:2] == ("phase_exit", "train")


def test_the_oldest_events_go_and_are_counted(device):
    with MemoryTracker(sampling_interval_ms=3_600_000, max_events=3) as tracker:
        for name in "abc":
            tracker.enter_phase(name).close()
    assert told(tracker) == [("phase_enter", "c", 100), ("phase_exit", "c", 100), ("sample", "", 100)]
    assert tracker.health() == {"tracking": False, "events": 3, "dropped_events": 5, "faults": {}}


def test_a_collector_that_fails_empties_a_reading_and_nothing_else(device, tracker, caplog):
    with caplog.at_level(logging.WARNING, "cirron"), tracker.phase("train"):
        device.error = RuntimeError("the GPU is lost")
        tracker.enter_phase("inner").close()
        tracker._session.sample()
    failed = tracker.events()[-1]
    assert (failed.allocator_allocated_bytes, failed.device_used_bytes) == (None, None)
    assert failed.metadata["problem"] == "the GPU is lost"
    memory = failed.metadata["phase_memory"]
    assert (memory["entry_bytes"], memory["exit_bytes"], memory["growth_bytes"]) == (100 * MB, None, None)
    assert tracker.health()["faults"] == {"collector": 4}
    assert len(caplog.messages) == 1
    device.error = None
    tracker._session.sample()
    assert tracker.events()[-1].allocator_allocated_bytes == 100 * MB


def test_a_sample_that_cannot_even_be_kept_is_counted(device, tracker, monkeypatch, caplog):
    def no_room(event):
        raise MemoryError

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, "cirron"):
        patched.setattr(tracker._history, "add", no_room)
        tracker._session.sample()
    assert tracker.health()["faults"] == {"sampling": 1}


def test_a_device_that_hangs_does_not_hold_up_the_end(device, monkeypatch, wait_until):
    monkeypatch.setattr("stormlog.sampler.STOP_S", 0.01)
    hanging, released = threading.Event(), threading.Event()
    with MemoryTracker(sampling_interval_ms=1) as tracker:
        monkeypatch.setattr(device, "read", lambda thorough: hanging.set() or released.wait())
        wait_until(hanging.is_set)
    assert tracker.health()["faults"] == {"sampling": 1}
    released.set()
    wait_until(lambda: all(each.name != "stormlog-sampler" for each in threading.enumerate()))


def test_a_device_that_is_lost_from_the_start_tells_nothing(device):
    device.error = OSError("no such device")
    with MemoryTracker(sampling_interval_ms=3_600_000) as tracker:
        tracker.enter_phase("train").close()
    memory = tracker.events()[-2].metadata["phase_memory"]
    assert set(memory.values()) == {None}


def alerts_of(device, *held_mb, on_alert=None):
    """The alerts of a tracker that sees a device of 1000 MB filled so, with thresholds at 80 and 90 percent."""
    alerts = []
    with MemoryTracker(
        sampling_interval_ms=3_600_000,
        warning_share=0.8,
        critical_share=0.9,
        on_alert=on_alert or alerts.append,
    ) as tracker:
        for device.held_mb in held_mb:
            tracker._session.sample()
    return [alert.level for alert in alerts], alerts, tracker


def test_a_threshold_is_told_once_when_it_is_passed(device):
    levels, alerts, tracker = alerts_of(device, 850, 860, 950, 999, 850)
    assert levels == ["warning", "critical"]
    assert isinstance(alerts[0], Alert)
    assert (alerts[0].used_share, alerts[0].threshold_share) == (0.85, 0.8)
    assert alerts[0].event == tracker.events()[1]


def test_a_device_that_fills_at_once_is_critical_at_once(device):
    assert alerts_of(device, 100, 950)[0] == ["critical"]


def test_a_threshold_is_told_again_once_the_device_was_well_below(device):
    assert alerts_of(device, 850, 790, 850, 700, 850)[0] == ["warning", "warning"]


def test_a_boundary_tells_too(device):
    alerts = []
    with MemoryTracker(sampling_interval_ms=3_600_000, on_alert=alerts.append) as tracker:
        device.held_mb = 990
        tracker.enter_phase("train").close()
    assert [alert.event.event_type for alert in alerts] == ["phase_enter"]


def test_a_callback_that_fails_harms_nobody(device, caplog):
    def broken(alert):
        raise KeyError("the user's")

    with caplog.at_level(logging.WARNING, "cirron"):
        tracker = alerts_of(device, 850, 950, on_alert=broken)[2]
    assert tracker.health()["faults"] == {"alert": 2}
    assert len(caplog.messages) == 1


def test_a_callback_may_use_the_tracker(device):
    holder = []

    def stop(alert):
        holder[0].enter_phase("alerted").close()
        holder[0].stop_tracking()

    tracker = MemoryTracker(sampling_interval_ms=3_600_000, on_alert=stop)
    holder.append(tracker)
    tracker.start_tracking()
    device.held_mb = 990
    tracker._session.sample()
    assert not tracker.is_tracking


@pytest.mark.parametrize(
    "argument",
    [
        {"device": "tpu"},
        {"device": 0},
        {"device": "cuda:x"},
        {"sampling_interval_ms": 0},
        {"sampling_interval_ms": 0.5},
        {"sampling_interval_ms": True},
        {"sampling_interval_ms": 10**9},
        {"max_events": 0},
        {"max_events": None},
        {"warning_share": 0},
        {"warning_share": 85},
        {"warning_share": float("nan")},
        {"warning_share": "0.8"},
        {"critical_share": 0.5},
        {"on_alert": "print"},
        {"job_id": ""},
        {"rank": -1},
        {"rank": 1},
        {"local_rank": -1},
        {"world_size": 0},
    ],
    ids=str,
)
def test_a_wrong_argument_is_named(argument):
    (name, value), *_ = argument.items()
    with pytest.raises(ValueError, match=f"^{name}={value!r}: "):
        MemoryTracker(**argument)


def test_threads_have_phases_of_their_own(device, tracker):
    def work(name):
        for _ in range(100):
            with tracker.phase(name), tracker.phase("inner"):
                pass

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    paths = {path for kind, path, _ in told(tracker) if kind == "phase_exit"}
    assert paths == {f"t{number}{inner}" for number in range(8) for inner in ("", "/inner")}
    numbers = [
        event.metadata["phase_scope"]["sequence"]
        for event in tracker.events()
        if "phase_scope" in event.metadata
    ]
    assert len(set(numbers)) == len(numbers) == 8 * 100 * 4


def test_a_tracker_that_nobody_holds_stops(device, wait_until):
    MemoryTracker(sampling_interval_ms=1).start_tracking()
    gc.collect()
    wait_until(lambda: all(each.name != "stormlog-sampler" for each in threading.enumerate()))


def test_a_program_that_forgets_to_stop_ends_as_ever():
    ended = run_program(
        "from stormlog import MemoryTracker\n"
        "tracker = MemoryTracker(sampling_interval_ms=1)\n"
        "tracker.start_tracking()\n"
        "phase = tracker.enter_phase('train')\n"
        "print('done')\n"
    )
    assert (ended.code, ended.stdout, ended.stderr) == (0, "done\n", "")


SPIKE = """
from stormlog import MemoryTracker
with MemoryTracker(sampling_interval_ms=3_600_000) as tracker:
    with tracker.phase("spike"):
        taken = b"x" * 300_000_000
        del taken
    with tracker.phase("small"):
        taken = b"x" * 100_000_000
        del taken
for event in tracker.events():
    if event.event_type == "phase_exit":
        memory = event.metadata["phase_memory"]
        print(memory["peak_source"], round((memory["peak_bytes"] - memory["entry_bytes"]) / 1e6, -1))
"""


def test_a_spike_between_two_samples_is_told_exactly_on_the_host():
    """The second phase stays below the peak of the process, so nobody but a sample could have seen its own."""
    ended = run_program(SPIKE)
    assert ended.stderr == ""
    assert ended.stdout == "high_water 300.0\nsampled 0.0\n"


FORK = """
import os, threading
from stormlog import MemoryTracker

tracker = MemoryTracker(sampling_interval_ms=1)
tracker.start_tracking()
parent_session, stopping = tracker.session_id, threading.Event()

def hammer():
    while not stopping.is_set():
        with tracker.phase("hammer"):
            pass

threads = [threading.Thread(target=hammer) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(20):
    with tracker.phase("outer") as outer:
        child = os.fork()
        if child == 0:
            assert tracker.is_tracking and tracker.events() == [] and threading.active_count() == 1
            with tracker.phase("in the child") as phase:
                assert phase.path == ("in the child",)
            assert tracker.session_id not in (None, parent_session) and threading.active_count() == 2
            assert {event.pid for event in tracker.events()} == {os.getpid()}
            assert outer.close() is None
            tracker.stop_tracking()
            tracker.stop_tracking()
            assert tracker.events()[-1].context == "tracking stopped"
            os._exit(17)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
stopping.set()
for thread in threads:
    thread.join()
tracker.stop_tracking()
assert {event.pid for event in tracker.events()} == {os.getpid()}
assert tracker.health()["faults"] == {}
print("survived")
"""


def test_forked_children_track_for_themselves():
    ended = run_program(FORK)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "survived\n", "")


IDLE_CHILD = """
import multiprocessing, threading
from stormlog import MemoryTracker

def child(answers):
    answers.put((threading.active_count(), tracker.is_tracking, len(tracker.events())))

with MemoryTracker() as tracker:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=child, args=(answers,))
    process.start()
    print(answers.get())
    process.join()
    print(process.exitcode)
"""


def test_a_child_that_enters_no_phase_costs_nothing():
    ended = run_program(IDLE_CHILD)
    assert (ended.stdout, ended.stderr) == ("(1, True, 0)\n0\n", "")
