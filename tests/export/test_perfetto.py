"""The format `perfetto`, read back with Perfetto's messages by the rules of its viewer."""

import math
import random
from inspect import cleandoc

import pytest

import cirron
from cirron.export.perfetto import vocabulary, write_perfetto
from cirron.export.perfetto.protobuf import number as encoded
from export.exporting import (
    DEEP,
    HOSTILE,
    LAST_NS,
    SPOOL,
    as_bytes,
    hostile_spool,
    killed,
    third_party,
    two_ranks_and_a_worker,
)
from export.perfetto_reading import Trace
from support.recording import EPOCH_NS, MS, Recording, training


def exported(**options):
    trace = Trace(as_bytes(write_perfetto, **options))
    assert not [each for track in trace.tracks.values() for each in track.open], "a slice without an end"
    return trace


def picture():
    return "\n".join(exported().picture())


def slices(trace):
    return {each.name: each for each in trace.slices()}


def times(trace):
    return sorted((each.name, each.start_ns, each.end_ns) for each in trace.slices())


def write(recording, number=1):
    recording.write(SPOOL, number)
    recording.spans.clear()
    recording.marks.clear()


def test_slices_lie_as_the_scopes_did():
    training(2, 2).write(SPOOL)
    assert picture() == cleandoc("""
        rank 0 · pid 7 / main thread
          cirron.session
            epoch
              step
                data_load
                forward
                backward
              step
                data_load
                forward
                backward
              evaluate
            epoch
              step
                data_load
                forward
                backward
              step
                data_load
                forward
                backward
              evaluate
    """)


def test_each_rank_and_worker_is_a_process_of_its_own():
    two_ranks_and_a_worker()
    trace = exported()
    processes = [
        track.descriptor.process for track in trace.tracks.values() if track.descriptor.HasField("process")
    ]
    assert [each.process_name for each in processes] == [
        "rank 0 · north · pid 7", "rank 1 · south · pid 7", "rank 0 · worker 0 · north · pid 8",
    ]  # fmt: skip
    assert len({each.pid for each in processes}) == 3  # although two had the same
    threads = [
        track.descriptor.thread for track in trace.tracks.values() if track.descriptor.HasField("thread")
    ]
    assert [thread.tid == thread.pid for thread in threads] == [
        True
    ] * 3  # how the viewer knows the main thread
    assert {thread.pid for thread in threads} == {each.pid for each in processes}


def test_threads_have_tracks_of_their_own():
    recording = Recording()
    load = recording.span("load", 1, 9, thread_id=140_000_000_000_002)
    recording.span("decode", 2, 3, parent=load, thread_id=140_000_000_000_002)
    recording.span("step", 1, 2)
    recording.session(0, 10)
    write(recording)
    assert picture() == cleandoc("""
        rank 0 · pid 7 / main thread
          cirron.session
            step
        rank 0 · pid 7 / thread 140000000000002
          load
            decode
    """)


def test_interleaved_tasks_lie_beside_each_other():
    recording = Recording()
    one, two, three = (next(recording.ids) for _ in range(3))
    recording.span("a.read", 2, 3, parent=one)
    recording.span("b.read", 3, 5, parent=two)  # within the time of a, but not its child
    recording.span("b", 2, 6, id=two)
    recording.span("a.write", 6, 7, parent=one)
    recording.span("a", 1, 8, id=one)
    recording.span("c", 7, 9, id=three)
    recording.session(0, 10)
    write(recording)
    assert picture() == cleandoc("""
        rank 0 · pid 7 / main thread
          cirron.session
            a
              a.read
              a.write
        rank 0 · pid 7 / main thread / at the same time 2
          b
            b.read
          c
    """)


def test_a_scope_that_outlives_its_parent_lies_beside_it():
    recording = Recording()
    parent = recording.span("parent", 1, 3)
    recording.span("generator", 2, 5, parent=parent)
    recording.session(0, 10)
    write(recording)
    assert picture() == cleandoc("""
        rank 0 · pid 7 / main thread
          cirron.session
            parent
        rank 0 · pid 7 / main thread / at the same time 2
          generator
    """)


def test_scopes_of_one_instant_lie_inside_each_other():
    recording = Recording()
    outer, middle, inner = (next(recording.ids) for _ in range(3))
    recording.span("inner", 1, 1, parent=middle, id=inner)
    write(recording, 1)
    recording.span("before", 0, 1)
    recording.span("middle", 1, 1, parent=outer, id=middle)
    recording.span("last", 1, 5, parent=outer)
    write(recording, 2)
    recording.span("outer", 1, 5, id=outer)
    recording.span("after", 5, 5)
    recording.session(0, 5)
    write(recording, 3)
    assert picture() == cleandoc("""
        rank 0 · pid 7 / main thread
          cirron.session
            before
            outer
              middle
                inner
              last
            after
    """)


def test_parents_that_were_written_before_their_children_hold_them():
    recording = Recording()
    recording.session(0, 10)
    epoch = recording.span("epoch", 1, 9)
    recording.span("step", 2, 3, parent=epoch)
    write(recording)
    assert [each.depth for each in exported().slices()] == [0, 1, 2]


def test_what_lost_its_parent_lies_in_the_session():
    recording = Recording()
    recording.span("orphan", 1, 2, parent="0" * 32)
    recording.span("orphan", 3, 4, parent="0" * 32)
    recording.session(0, 10)
    write(recording)
    assert picture() == cleandoc("""
        rank 0 · pid 7 / main thread
          cirron.session
            orphan
            orphan
    """)


def test_parents_in_a_ring_are_all_there(damaged_spools):
    recording = Recording()
    one, two, own = (next(recording.ids) for _ in range(3))
    recording.span("one", 1, 2, parent=two, id=one)
    recording.span("two", 1, 2, parent=one, id=two)
    recording.span("own", 3, 4, parent=own, id=own)
    recording.session(0, 10)
    write(recording)
    assert sorted(slices(exported())) == ["cirron.session", "one", "own", "two"]


@pytest.mark.parametrize("seed", range(20))
def test_every_slice_has_the_times_of_its_span(seed):
    """However scopes overlap, in whatever order they are written, nothing is lost, shortened or stretched."""
    chance = random.Random(seed)
    recording = Recording()
    ids = [recording.session_id]
    wanted = [("cirron.session", EPOCH_NS, EPOCH_NS + 40 * MS)]
    for number in range(200):
        start = chance.randrange(40)
        end = chance.randrange(start, 41)
        thread_id = chance.randrange(1, 4)
        ids.append(recording.span(f"s{number}", start, end, parent=chance.choice(ids), thread_id=thread_id))
        wanted.append((f"s{number}", EPOCH_NS + start * MS, EPOCH_NS + end * MS))
    recording.session(0, 40)
    chance.shuffle(recording.spans)
    parts, recording.spans = [recording.spans[:70], recording.spans[70:]], []
    for number, spans in enumerate(parts):
        recording.spans.extend(spans)
        write(recording, number)
    assert times(exported()) == sorted(wanted)


def test_every_name_attribute_and_number_comes_back():
    names = hostile_spool()
    found = slices(exported())
    assert sorted(found) == sorted(names)
    for name in HOSTILE:
        told = found[name].arguments
        assert (told[name], told["deep"]) == (name, DEEP if name != "deep" else name)
        assert (told["negative"], told["beyond"]) == (-5, str(2**70))
    assert (found["last"].start_ns, found["last"].end_ns) == (LAST_NS, LAST_NS)
    assert found["last"].arguments["index"] == -(2**63)
    assert len(found["huge"].arguments["text"]) == 3_000_000


def test_numbers_are_counters_and_all_else_is_an_instant():
    hostile_spool()
    tracks = exported().by_path()
    process = ("rank 0 · n1 · pid 4242",)
    counts = {name: track.counts for (*_, name), track in tracks.items() if track.counts}
    assert counts == {"m0": [(1_200_500, 0.5)], "m1": [(1_201_500, -7)], "m2": [(1_202_500, 2.0**70)]}
    told = {name: arguments["value"] for name, arguments in tracks[(*process, "marks")].instants}
    assert (told["m3"], told["m4"], told["m5"], told["m6"]) == ("a\n\"b'", True, "null", "")
    assert (told["inf"], math.isnan(told["nan"])) == (math.inf, True)


def test_counters_of_ranks_are_apart():
    two_ranks_and_a_worker()
    counts = {
        path: [value for _, value in track.counts]
        for path, track in exported().by_path().items()
        if track.counts
    }
    assert counts == {
        ("rank 0 · north · pid 7", "loss"): [0.5],
        ("rank 1 · south · pid 7", "loss"): [1.5],
        ("rank 0 · worker 0 · north · pid 8", "loss"): [2.5],
    }


def test_the_cost_of_recording_is_an_argument():
    training(1, 1).write(SPOOL)
    trace = exported()
    assert slices(trace)["step"].arguments == {"index": 0, "cirron.overhead_ns": 600}
    assert not [path for path in trace.by_path() if "cirron.overhead_ns" in path]


def test_snapshots_are_instants():
    hostile_spool()
    tracks = exported().by_path()
    (weight, arguments), (scalar, _) = tracks["rank 0 · n1 · pid 4242", "snapshots"].instants
    assert (weight, scalar, arguments["shape"], arguments["k"]) == ('w"\n', "scalar", [4, 4], "v")


def test_interrupted_slices_end_where_they_were_last_known_to_be():
    killed()
    trace = exported()
    found = [
        (each.name, (each.end_ns - EPOCH_NS) // MS, each.arguments.get("cirron.interrupted"))
        for each in trace.slices()
    ]
    assert found == [
        ("cirron.session", 7, True), ("epoch", 4, None), ("epoch", 7, True), ("step", 6, None),
    ]  # fmt: skip


def test_what_is_open_now_is_there_as_open(profiler):
    with cirron.scope("outer"):
        with cirron.scope("closed"):
            pass
        cirron.flush()
        found = slices(exported())
    assert found["outer"].arguments["cirron.open"] is True
    assert found["outer"].end_ns >= found["closed"].end_ns
    assert [found[name].depth for name in ("cirron.session", "outer", "closed")] == [0, 1, 2]


def test_dates_can_be_shown():
    killed()
    snapshot = exported().packets[0].clock_snapshot
    assert {(clock.clock_id, clock.timestamp) for clock in snapshot.clocks} == {(6, EPOCH_NS), (1, EPOCH_NS)}


def test_the_same_spool_gives_the_same_trace():
    two_ranks_and_a_worker()
    assert as_bytes(write_perfetto) == as_bytes(write_perfetto)


def test_names_that_hardly_come_again_are_not_collected(monkeypatch):
    monkeypatch.setattr(vocabulary, "NAMES_MAX", 2)
    training(1, 1).write(SPOOL)
    trace = exported()
    assert sorted(slices(trace)) == [
        "backward",
        "cirron.session",
        "data_load",
        "epoch",
        "evaluate",
        "forward",
        "step",
    ]
    assert [
        len(packet.interned_data.event_names) for packet in trace.packets if packet.HasField("interned_data")
    ] == [2]


def test_marks_alone_make_a_trace():
    recording = Recording()
    recording.mark(recording.session_id, "loss", 1)
    write(recording)
    trace = exported()
    assert [track.counts for track in trace.tracks.values()] == [[], [(EPOCH_NS, 1)]]


def test_a_writer_that_names_no_session_is_exported_too():
    third_party()
    assert sorted(slices(exported())) == ["cirron.session", "load"]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63 - 1, 2**64 - 1, -1, -(2**63)])
def test_numbers_are_written_as_protobuf_does(value):
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import DebugAnnotation

    if value < 2**63:
        assert encoded(4, value) == DebugAnnotation(int_value=value).SerializeToString()
    if value >= 0:
        assert encoded(3, value) == DebugAnnotation(uint_value=value).SerializeToString()
