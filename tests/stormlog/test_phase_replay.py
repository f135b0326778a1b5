"""Phases rebuilt from events: their extent, what was active when, and whose an event is."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormlog.phases.replay import PhaseReplay
from stormlog.phases.runtime import PhaseRecorder
from support.memory_events import event


class Run:
    """A session whose events come at the times a test gives them."""

    def __init__(self, session_id="s", rank=0):
        self.of = {"session_id": session_id, "rank": rank, "world_size": 8}
        self.events = []
        self._recorder = PhaseRecorder()
        self._tokens = {}

    def enter(self, time_ns, name, attrs=None):
        of = {"session_id": self.of["session_id"], "rank": self.of["rank"]}
        self._tokens[name], boundary = self._recorder.enter(**of, name=name, attrs=attrs)
        self._add(time_ns, boundary)
        return self

    def exit(self, time_ns, name):
        self._add(time_ns, self._recorder.exit(self._tokens[name]))
        return self

    def sample(self, time_ns, **fields):
        self.events.append(event(timestamp_ns=time_ns, **self.of, **fields))
        return self

    def _add(self, time_ns, boundary):
        fields = {
            "event_type": boundary.event_type,
            "context": boundary.context,
            "metadata": boundary.metadata,
        }
        self.sample(time_ns, **fields)


def foreign(run, thread_id):
    """The events of a run as another thread would have entered the phases."""
    for each in run.events:
        each.metadata["phase_scope"]["thread_id"] = thread_id
    return run.events


def drawn(replay):
    """Each phase as a line; `~` marks an end that is not known."""
    return [
        f"{phase.session_id}/{phase.rank} {'/'.join(phase.path)} "
        f"{'~' if phase.is_start_synthetic else ''}{phase.start_ns}"
        f"-{phase.end_ns}{'~' if phase.is_end_synthetic else ''}"
        for phase in replay.phases
    ]


def names(phases):
    return [phase.name for phase in phases]


def test_phases_are_rebuilt_whatever_the_order_of_events():
    run = Run().enter(10, "train", {"epoch": 1}).enter(20, "forward").exit(30, "forward").exit(40, "train")
    for seed in range(10):
        random.Random(seed).shuffle(run.events)
        replay = PhaseReplay(run.events)
        assert drawn(replay) == ["s/0 train 10-40", "s/0 train/forward 20-30"]
    outer, inner = replay.phases
    assert (outer.attributes, outer.duration_ns, inner.parent_scope_id) == ({"epoch": 1}, 30, outer.scope_id)
    assert replay.problems == []


def test_sessions_and_ranks_are_kept_apart():
    runs = [Run("s", 0), Run("s", 1), Run("t", 0)]
    events = [each for run in runs for each in run.enter(10, "train").exit(20, "train").events]
    replay = PhaseReplay(events)
    assert drawn(replay) == ["s/0 train 10-20", "s/1 train 10-20", "t/0 train 10-20"]
    assert len(replay.active_at(15)) == 3
    assert drawn_keys(replay.active_at(15, session_id="s")) == [("s", 0), ("s", 1)]
    assert drawn_keys(replay.active_at(15, rank=0)) == [("s", 0), ("t", 0)]


def drawn_keys(phases):
    return [(phase.session_id, phase.rank) for phase in phases]


def test_a_missing_exit_is_at_the_sessions_end():
    run = Run().enter(10, "train").enter(20, "forward").sample(70)
    replay = PhaseReplay(run.events)
    assert drawn(replay) == ["s/0 train 10-70~", "s/0 train/forward 20-70~"]
    assert replay.attribute(run.events[-1]).phase.name == "forward"


def test_a_missing_entry_is_at_the_sessions_beginning():
    """So it is when the history had no room for the entry of a phase that lasts long."""
    run = Run().enter(10, "train").sample(15).enter(20, "forward").exit(30, "forward").exit(40, "train")
    replay = PhaseReplay(run.events[1:])
    assert drawn(replay) == ["s/0 train ~15-40", "s/0 train/forward 20-30"]


def test_a_phase_is_active_until_just_before_its_end():
    run = Run().enter(10, "a").exit(20, "a").enter(20, "b").exit(30, "b")
    replay = PhaseReplay(run.events)
    active = {time_ns: names(replay.active_at(time_ns)) for time_ns in (9, 10, 19, 20, 29, 30)}
    assert active == {9: [], 10: ["a"], 19: ["a"], 20: ["b"], 29: ["b"], 30: []}


def test_an_event_belongs_to_the_innermost_phase():
    run = Run().enter(10, "train").enter(20, "forward").sample(25).exit(30, "forward").exit(40, "train")
    attribution = PhaseReplay(run.events).attribute(run.events[2])
    assert (attribution.kind, attribution.phase.path) == ("unique", ("train", "forward"))


def test_an_event_outside_of_all_phases_belongs_to_none():
    run = Run().sample(5).enter(10, "train").exit(20, "train").sample(20)
    replay = PhaseReplay(run.events)
    for each in (run.events[0], run.events[-1], event(session_id="elsewhere"), event(rank=3, world_size=8)):
        assert (replay.attribute(each).kind, replay.attribute(each).phase) == ("unknown", None)


def test_a_boundary_belongs_to_its_own_phase():
    run = Run().enter(10, "train").enter(10, "forward").exit(10, "forward").exit(20, "train")
    replay = PhaseReplay(run.events)
    assert [replay.attribute(each).phase.name for each in run.events] == [
        "train",
        "forward",
        "forward",
        "train",
    ]


@pytest.fixture
def two_threads():
    """Two threads in phases at the same time; the second is number 9."""
    first = Run().enter(10, "train").enter(20, "forward")
    second = Run()
    second._recorder._sequence = iter(range(100, 200))
    return first.events + foreign(second.enter(20, "load"), 9)


def test_an_event_in_the_phases_of_two_threads_may_be_either_ones(two_threads):
    attribution = PhaseReplay(two_threads).attribute(event(timestamp_ns=20, world_size=8))
    assert (attribution.kind, attribution.phase) == ("ambiguous", None)
    assert names(attribution.candidates) == ["load", "forward"]


def test_an_event_that_names_its_thread_belongs_there(two_threads):
    replay = PhaseReplay(two_threads)
    attribution = replay.attribute(event(timestamp_ns=20, world_size=8, metadata={"thread_id": 9}))
    assert (attribution.kind, attribution.phase.name) == ("unique", "load")
    assert names(replay.active_at(20, thread_id=9)) == ["load"]


def test_a_task_that_outlives_the_phase_it_was_created_in_is_still_inside_the_outer_ones():
    scopes = [("s:1", None, ["serve"], 10, 50), ("s:2", "s:1", ["serve", "start"], 11, 20)]
    scopes.append(("s:3", "s:2", ["serve", "start", "work"], 12, 40))
    events = [
        event(
            timestamp_ns=times_ns[action == "exit"],
            event_type=f"phase_{action}",
            metadata={
                "phase_scope": {
                    "scope_id": scope_id,
                    "parent_scope_id": parent,
                    "name": path[-1],
                    "path": path,
                    "thread_id": 1,
                    "sequence": sequence,
                }
            },
        )
        for sequence, (scope_id, parent, path, *times_ns) in enumerate(scopes)
        for action in ("enter", "exit")
    ]
    assert PhaseReplay(events).attribute(event(timestamp_ns=30)).phase.name == "work"


@pytest.mark.parametrize(
    "metadata",
    [{}, {"phase_scope": None}, {"phase_scope": {"scope_id": "s:1"}}, {"phase_scope": {"scope_id": 3}}],
    ids=str,
)
def test_a_boundary_that_makes_no_sense_is_named_and_left_out(metadata):
    bad = event(event_type="phase_enter", metadata=metadata)
    replay = PhaseReplay([bad, *Run().enter(10, "train").exit(20, "train").events])
    assert names(replay.phases) == ["train"]
    assert len(replay.problems) == 1
    assert "session s, rank 0, phase_enter at 1000: metadata.phase_scope: " in replay.problems[0]
    assert replay.attribute(bad).kind in ("unknown", "unique")


def test_a_boundary_that_comes_twice_counts_once():
    run = Run().enter(10, "train").exit(20, "train")
    again = event(timestamp_ns=15, event_type="phase_exit", metadata=run.events[1].metadata, **run.of)
    assert PhaseReplay(run.events * 2).problems == []
    replay = PhaseReplay([*run.events, again])
    assert drawn(replay) == ["s/0 train 10-20"]
    assert "twice" in replay.problems[0]


def test_parents_in_a_circle_do_no_harm():
    def boundary(scope_id, parent, path):
        scope = {"scope_id": scope_id, "parent_scope_id": parent, "name": "x", "path": path}
        return event(
            event_type="phase_enter", metadata={"phase_scope": {**scope, "thread_id": 1, "sequence": 1}}
        )

    replay = PhaseReplay(
        [boundary("a", "b", ["x"]), boundary("b", "a", ["x", "x"]), event(timestamp_ns=2000)]
    )
    assert replay.attribute(event(timestamp_ns=1500)).kind in ("unique", "ambiguous")


@given(
    st.lists(st.tuples(st.sampled_from(["enter", "exit", "sample"]), st.integers(0, 3)), max_size=40),
    st.data(),
)
def test_any_program_with_any_boundaries_lost_is_replayed(steps, data):
    run, opened, extents, time_ns = Run(), [], {}, 0
    for step, gap_ns in steps:
        time_ns += gap_ns
        if step == "enter":
            name = f"p{len(extents)}"
            run.enter(time_ns, name)
            opened.append(name)
            extents[name] = [time_ns, None]
        elif step == "exit" and opened:
            name = opened.pop()
            run.exit(time_ns, name)
            extents[name][1] = time_ns
        else:
            run.sample(time_ns)
    kept = [each for each in run.events if each.event_type != "phase_exit" or data.draw(st.booleans())]
    left = {each.metadata["phase_scope"]["name"] for each in kept if each.event_type == "phase_exit"}
    last_ns = max((each.timestamp_ns for each in kept), default=0)
    expected = {
        name: (start_ns, end_ns if name in left else last_ns, name not in left)
        for name, (start_ns, end_ns) in extents.items()
    }
    replay = PhaseReplay(data.draw(st.permutations(kept)))
    assert {
        phase.name: (phase.start_ns, phase.end_ns, phase.is_end_synthetic) for phase in replay.phases
    } == expected
    for instant_ns in range(time_ns + 2):
        active = {
            name
            for name, (start_ns, end_ns, synthetic) in expected.items()
            if start_ns <= instant_ns < end_ns + synthetic
        }
        assert set(names(replay.active_at(instant_ns))) == active
