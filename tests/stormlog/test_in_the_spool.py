"""Phases and samples while `ci.profile()` is active: in the spool, through its journal, and as scopes in its tree."""

import re
from pathlib import Path

import pytest

import cirron as ci
from cirron.spool import read, seal_dead_journals
from stormlog.phases.replay import PhaseReplay
from stormlog.telemetry import spooled_events
from support.memory_devices import MB
from support.programs import run_program


@pytest.fixture
def profiler():
    """A session of the program, without hooks."""
    profiler = ci.profile(frameworks=[])
    yield profiler
    ci.shutdown()


def spans():
    """By name, each with its attributes and what its marks say of the memory, in MB."""
    batches = list(read(".cirron").batches())
    marks = [mark for batch in batches for mark in batch.marks if mark.name.startswith("memory.")]
    told = {
        span.id: {mark.name[7:-6]: mark.value // MB for mark in marks if mark.span_id == span.id}
        for batch in batches
        for span in batch.spans
    }
    return {span.name: (span.attrs, told[span.id]) for batch in batches for span in batch.spans}


def test_the_spool_has_every_event_of_the_tracker(profiler, device, tracker):
    with tracker.phase("train"), tracker.phase("forward"):
        pass
    tracker.stop_tracking()
    ci.shutdown()
    events, problems, _ = spooled_events(".")
    assert (events, problems) == (tracker.events(), [])
    assert [phase.path for phase in PhaseReplay(events).phases] == [("train",), ("train", "forward")]


def test_a_phase_is_a_scope_that_tells_of_the_memory(profiler, device, tracker):
    with ci.scope("epoch"), tracker.phase("forward", {"layer": 3}):
        device.held_mb = 500
        with ci.scope("inner"):
            pass
        device.held_mb = 120
    ci.shutdown()
    found = spans()
    assert found["forward"] == ({"layer": 3}, {"entry": 100, "exit": 120, "growth": 20, "peak": 120})
    assert found["inner"] == ({}, {})


def test_the_tree_shows_the_memory_beside_the_time(profiler, device, tracker, capsys):
    with tracker.phase("forward"):
        device.held_mb = 500
        with tracker.phase("inner"):
            device.held_mb = 90
    ci.trace()
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if "memory" in line}
    assert "memory growth -10.0 MB" in re.sub(" +", " ", lines["forward"])
    assert "memory peak 500 MB memory entry 500 MB" in re.sub(" +", " ", lines["inner"])


def test_a_phase_that_fails_is_a_scope_that_failed(profiler, device, tracker):
    with pytest.raises(KeyError), tracker.phase("fails"):
        raise KeyError
    try:
        raise ValueError
    except ValueError:
        with tracker.phase("handles"):
            pass
    ci.shutdown()
    assert (spans()["fails"][0], spans()["handles"][0]) == ({"error": "KeyError"}, {})


def test_a_phase_closed_out_of_turn_stays_open_as_a_scope(profiler, device, tracker):
    outer = tracker.enter_phase("outer")
    inner = tracker.enter_phase("inner")
    with pytest.raises(RuntimeError):
        outer.close()
    inner.close()
    outer.close()
    ci.shutdown()
    assert {"outer", "inner"} <= spans().keys()


def test_without_a_session_nothing_is_written(device, tracker):
    with tracker.phase("train"):
        pass
    assert not Path(".cirron").exists()


def test_a_killed_process_keeps_its_last_boundary_and_sample():
    run_program(
        "import os, signal, cirron as ci\n"
        "from stormlog import MemoryTracker\n"
        "ci.profile(frameworks=[])\n"
        "tracker = MemoryTracker(sampling_interval_ms=3600000, device='host')\n"
        "tracker.start_tracking()\n"
        "with tracker.phase('load'): pass\n"
        "train = tracker.enter_phase('train')\n"
        "tracker._session.sample()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    seal_dead_journals(".")
    events = spooled_events(".").events
    told = [event.context or event.event_type for event in events]
    assert told == [
        "tracking started",
        "phase enter: load",
        "phase exit: load",
        "phase enter: train",
        "sample",
    ]
    assert PhaseReplay(events).phases[-1].is_end_synthetic
    assert spans()["train"][0] == {"cirron.interrupted": True}


def test_a_forked_child_writes_into_a_session_of_its_own():
    done = run_program(
        "import os, cirron as ci\n"
        "from stormlog import MemoryTracker\n"
        "ci.profile(frameworks=[])\n"
        "with MemoryTracker(device='host') as tracker:\n"
        "    with tracker.phase('parent'): pass\n"
        "    child = os.fork()\n"
        "    with tracker.phase('child' if child == 0 else 'parent'): pass\n"
        "    if child == 0:\n"
        "        tracker.stop_tracking(); ci.shutdown(); os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
    )
    assert (done.code, done.stderr) == (0, "")
    events = spooled_events(".").events
    names = {phase.name: phase.session_id for phase in PhaseReplay(events).phases}
    assert names["parent"] != names["child"]
    sessions = {
        batch.session_id: {event.pid for event in batch.memory}
        for batch in read(".").batches()
        if batch.memory
    }
    assert sorted(map(len, sessions.values())) == [1, 1]
