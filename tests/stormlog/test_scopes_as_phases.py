"""`MemoryTracker(scopes=True)`: the scopes of a program are phases too."""

import asyncio

import pytest

import cirron as ci
from cirron.spool import read
from stormlog import MemoryTracker
from stormlog.analysis import analyze
from stormlog.phases.replay import PhaseReplay
from support.memory_devices import MB
from support.programs import run_program


@pytest.fixture
def tracker(device):
    """A tracker that takes scopes for phases, in a session of the program."""
    ci.profile(frameworks=[])
    with MemoryTracker(sampling_interval_ms=3_600_000, scopes=True) as tracker:
        yield tracker
    ci.shutdown()


def paths(tracker):
    """Of all phases, in the order in which they began; a star for one that was not left."""
    phases = PhaseReplay(tracker.events()).phases
    return [" / ".join(phase.path) + ("*" if phase.exit is None else "") for phase in phases]


def grown_mb():
    ci.shutdown()
    batches = list(read(".cirron").batches())
    names = {span.id: span.name for batch in batches for span in batch.spans}
    return {
        names[mark.span_id]: mark.value // MB
        for batch in batches
        for mark in batch.marks
        if mark.name == "memory.growth_bytes"
    }


def test_a_scope_is_a_phase_with_its_memory(device, tracker):
    with ci.scope("epoch", 3, lr=0.1):
        with ci.scope("forward"):
            device.held_mb = 150
        device.held_mb = 120
    assert paths(tracker) == ["epoch", "epoch / forward"]
    assert grown_mb() == {"epoch": 20, "forward": 50}


def test_a_phase_and_its_own_scope_are_one(device, tracker):
    with ci.scope("epoch"), tracker.phase("forward"), ci.scope("inner"):
        pass
    assert paths(tracker) == ["epoch", "epoch / forward", "epoch / forward / inner"]


def test_decorated_functions_are_phases(tracker):
    @ci.scope("work")
    def work():
        return 7

    assert (work(), work(), paths(tracker)) == (7, 7, ["work", "work"])


def test_the_epochs_and_batches_of_loops_are_phases(device, tracker):
    for _ in ci.epochs(range(2)):
        for _ in ci.batches("ab"):
            device.held_mb += 10
    step = ["epoch / batch"] * 3  # the third was opened for a batch that never came
    assert paths(tracker) == ["epoch", *step, "epoch", *step, "epoch"]
    rows = {row.path: row.count for row in analyze(tracker.events()).phases}
    assert (rows, grown_mb()) == (
        {("epoch",): 2, ("epoch", "batch"): 4},
        {"epoch": 20, "batch": 10},
    )


def test_a_loop_that_is_left_leaves_no_phase_open(tracker):
    def fails():
        for item in ci.epochs("ab"):
            if item == "b":
                raise KeyError

    with pytest.raises(KeyError):
        fails()
    for _ in ci.batches("ab"):
        break
    loop = iter(ci.batches("ab"))
    next(loop)
    loop.close()
    assert paths(tracker) == ["epoch", "epoch", "batch", "batch"]


def test_an_async_loop_is_followed_too(tracker):
    async def items():
        yield 1
        yield 2

    async def loop():
        async for _ in ci.batches(items()):
            with ci.scope("work"):
                pass

    asyncio.run(loop())
    assert paths(tracker) == ["batch", "batch / work", "batch", "batch / work", "batch"]


def test_a_loop_that_began_before_the_tracker_goes_on(device):
    ci.profile(frameworks=[])
    tracker = MemoryTracker(sampling_interval_ms=3_600_000, scopes=True)
    for number in ci.batches(range(4)):
        if number == 1:
            tracker.start_tracking()
        if number == 2:
            tracker.stop_tracking()
    ci.shutdown()
    assert paths(tracker) == ["batch"]
    spans = [span for batch in read(".cirron").batches() for span in batch.spans if span.name == "batch"]
    assert [span.index for span in spans] == [0, 1, 2, 3]


def test_scopes_of_an_instance_are_phases(device, tmp_path):
    one = ci.Cirron(output_dir=str(tmp_path / "one"))
    one.profile(frameworks=[])
    with MemoryTracker(sampling_interval_ms=3_600_000, scopes=True) as tracker:
        with one.scope("step"):
            device.held_mb += 10
        for _ in one.batches("a"):
            pass
    one.shutdown()
    assert paths(tracker) == ["step", "batch", "batch"]
    marks = [mark.name for batch in read(tmp_path / "one").batches() for mark in batch.marks]
    assert "memory.growth_bytes" in marks


def test_scopes_that_close_out_of_turn_leave_no_phase_open(tracker):
    outer, inner = ci.scope("outer"), ci.scope("inner")
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    with ci.scope("next"):
        pass
    inner.__exit__(None, None, None)
    assert paths(tracker) == ["outer", "outer / inner", "next"]
    assert tracker.health()["faults"] == {}


def test_tasks_that_take_turns_have_phases_of_their_own(tracker):
    async def task(name):
        with ci.scope(name):
            await asyncio.sleep(0)
            with ci.scope("inner"):
                await asyncio.sleep(0)

    async def both():
        await asyncio.gather(task("a"), task("b"))

    asyncio.run(both())
    assert sorted(paths(tracker)) == ["a", "a / inner", "b", "b / inner"]


def test_a_scope_that_is_taken_back_leaves_no_marks_and_says_so(tracker):
    with ci.scope("step") as step:
        assert step._cancel()
    (leaving,) = [event for event in tracker.events() if event.event_type == "phase_exit"]
    assert leaving.metadata["scope_cancelled"] is True
    assert (analyze(tracker.events()).phases[0].count, grown_mb()) == (0, {})


def test_an_exception_passes_on(tracker):
    with pytest.raises(KeyError), ci.scope("fails"):
        raise KeyError
    assert paths(tracker) == ["fails"]


def test_scopes_are_phases_no_more_once_the_tracker_has_stopped(device, tracker):
    tracker.stop_tracking()
    with ci.scope("after"):
        pass
    assert paths(tracker) == []


def test_scopes_are_no_phases_unless_asked_for(device):
    ci.profile(frameworks=[])
    with MemoryTracker() as tracker, ci.scope("step"):
        pass
    ci.shutdown()
    assert paths(tracker) == []


def test_a_tracker_that_nobody_holds_goes(device):
    ended = run_program(
        "import gc, weakref, cirron as ci\n"
        "from stormlog import MemoryTracker\n"
        "ci.profile(frameworks=[])\n"
        "tracker = MemoryTracker(device='host', scopes=True); tracker.start_tracking()\n"
        "gone = weakref.ref(tracker); del tracker; gc.collect()\n"
        "with ci.scope('step'): pass\n"
        "print(gone())\n"
    )
    assert (ended.code, ended.stdout, ended.stderr) == (0, "None\n", "")


def test_scopes_of_a_forked_child_are_phases_of_its_own_session(device):
    ended = run_program(
        "import os, cirron as ci\n"
        "from stormlog import MemoryTracker\n"
        "ci.profile(frameworks=[])\n"
        "tracker = MemoryTracker(device='host', scopes=True); tracker.start_tracking()\n"
        "with ci.scope('around'):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        with ci.scope('child'): pass\n"
        "        print(sum(each.event_type == 'phase_exit' for each in tracker.events()), flush=True)\n"
        "        tracker.stop_tracking(); ci.shutdown(); os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "print(sum(each.event_type == 'phase_exit' for each in tracker.events()))\n"
    )
    assert (ended.code, ended.stdout, ended.stderr) == (0, "1\n1\n", "")


def test_the_choice_is_true_or_false():
    with pytest.raises(ValueError, match="scopes=1"):
        MemoryTracker(scopes=1)
