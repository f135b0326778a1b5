"""What the analysis finds in programs that leak, spike and fragment, and that it is silent on their healthy twins."""

import pytest

from stormlog.analysis import analyze
from stormlog.telemetry import spooled_events
from support.memory_devices import MB
from support.memory_events import event
from support.programs import run_program

PRELUDE = """
import time, threading, cirron as ci
from stormlog import MemoryTracker
ci.profile(frameworks=[])
kept = []
tracker = MemoryTracker(device="host", sampling_interval_ms=100)
tracker.start_tracking()
phase = tracker.phase
def touched(size_bytes):
    return b"x" * size_bytes
"""


def report_of(program):
    """The report on a program that runs to its end."""
    ended = run_program(PRELUDE + program)
    assert (ended.code, ended.stderr) == (0, "")
    events, problems, _ = spooled_events(".")
    assert problems == []
    return analyze(events)


def found(report, kind):
    return [(finding.path, finding.value_bytes / MB) for finding in report.findings if finding.kind == kind]


LOOP = """
for step in range(60):
    with phase("step"):
        with phase("load"):
            data = touched(2_000_000)
        with phase("forward"):
            {forward}
        with phase("backward"):
            {backward}
        del data
"""


def test_a_leak_is_found_in_the_phase_that_has_it():
    report = report_of(LOOP.format(forward="kept.append(touched(1_000_000))", backward="pass"))
    assert found(report, "growth") == [(("step", "forward"), pytest.approx(1, rel=0.05))]
    assert found(report, "transient_peak") == []


def test_two_leaks_are_found_each_with_its_number():
    report = report_of(
        LOOP.format(forward="kept.append(touched(1_000_000))", backward="kept.append(touched(3_000_000))")
    )
    assert sorted(found(report, "growth")) == [
        (("step", "backward"), pytest.approx(3, rel=0.05)),
        (("step", "forward"), pytest.approx(1, rel=0.05)),
    ]


def test_small_objects_that_pile_up_are_found():
    report = report_of(
        "for step in range(300):\n"
        "    with phase('step'):\n"
        "        with phase('log'): kept.append([f'{step} {i}' for i in range(1000)])\n"
        "        with phase('work'): sum(len(str(i)) for i in range(1000))\n"
    )
    ((path, value_mb),) = found(report, "growth")
    assert (path, 0.05 < value_mb < 0.1) == (("step", "log"), True)


def test_what_one_phase_takes_and_another_gives_back_but_for_a_part_names_the_phase_around_both():
    report = report_of(
        LOOP.format(
            forward="buffer = touched(40_000_000); kept.append(touched(1_000_000))",
            backward="del buffer",
        )
    )
    ((path, value_mb),) = found(report, "growth")
    assert (path, value_mb) == (("step",), pytest.approx(1, rel=0.05))
    assert report.findings[0].evidence["suspects"][0] == "step / forward"


def test_a_leak_into_pages_that_the_process_had_before_is_found_by_the_heap():
    """Its resident memory does not rise: what others have freed is filled up first."""
    report = report_of(
        "hole = [touched(100_000) for _ in range(1000)]\n"
        "edge = touched(100_000)\n"
        "del hole\n" + LOOP.format(forward="kept.append(touched(100_000))", backward="pass")
    )
    assert found(report, "growth") == [(("step", "forward"), pytest.approx(0.1, rel=0.05))]
    assert report.findings[0].evidence["told_by"] == "heap"


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        ("kept[:] = [touched(1_000_000)]", "pass"),
        ("buffers = [touched(1_000_000) for _ in range(30)]", "buffers.clear()"),
        ("kept.append(touched(1_000_000)) if step < 30 else None", "pass"),  # a cache that fills up
        ("kept.append(touched(1_000_000))", "kept.clear() if step % 8 == 7 else None"),  # grows and shrinks
        ("kept.append(touched(1_000_000))", "kept.clear() if step % 25 == 24 else None"),
        ("kept.append(touched(30_000_000)) if step in (20, 40) else None", "pass"),  # two steps and no slope
    ],
)
def test_a_healthy_program_gives_no_growth(forward, backward):
    report = report_of(LOOP.format(forward=forward, backward=backward))
    assert (found(report, "growth"), report.abstentions) == ([], [])


def test_a_spike_is_found_in_the_phase_that_has_it():
    report = report_of(
        LOOP.format(
            forward="spike = touched(300_000_000) if step == 30 else None; time.sleep(0.02); del spike",
            backward="pass",
        )
    )
    assert found(report, "transient_peak") == [(("step", "forward"), pytest.approx(300, rel=0.05))]
    (finding,) = report.findings
    assert (finding.evidence["seen"], finding.evidence["peak_source"]) == (1, "high_water")


def test_growth_of_overlapping_threads_is_not_attributed():
    report = report_of(
        "def work(name, size_bytes):\n"
        "    for _ in range(40):\n"
        "        turn.wait()\n"
        "        with phase(name):\n"
        "            turn.wait()\n"
        "            kept.append(touched(size_bytes))\n"
        "turn = threading.Barrier(2)\n"
        "threads = [threading.Thread(target=work, args=args) for args in (('leaks', 1_000_000), ('innocent', 0))]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
    )
    assert found(report, "growth") == []
    assert ["several threads or tasks" in each.reason for each in report.abstentions] == [True]


def test_growth_between_phases_is_not_laid_on_any():
    report = report_of(
        "for step in range(60):\n    with phase('step'): pass\n    kept.append(touched(1_000_000))\n"
    )
    assert found(report, "growth") == []
    assert "it may be between them" in report.abstentions[0].reason


def test_few_repetitions_are_said_to_be_too_few():
    report = report_of("for _ in range(5):\n    with phase('step'): kept.append(touched(5_000_000))\n")
    assert [(each.path, each.reason) for each in report.abstentions] == [
        (("step",), "5 repetitions; a trend takes 12")
    ]
    (row,) = report.phases
    assert (row.path, row.count, row.growth_bytes / MB) == (("step",), 5, pytest.approx(25, rel=0.05))


def readings(count, **fields):
    """Samples of a GPU, each field a function of the number of the sample."""
    return [
        event(
            timestamp_ns=number + 1,
            collector="cuda",
            **{f"{name}_bytes": round(value(number) * MB) for name, value in fields.items()},
        )
        for number in range(count)
    ]


GPU = {
    "allocator_allocated": lambda _: 500,
    "allocator_reserved": lambda _: 1000,
    "allocator_inactive": lambda _: 20,
    "device_used": lambda _: 1500,
}


def test_gaps_between_blocks_are_fragmentation_and_cached_blocks_are_not():
    assert analyze(readings(100, **GPU)).findings == []
    report = analyze(readings(100, **GPU | {"allocator_inactive": lambda _: 400}))
    assert found(report, "fragmentation") == [((), 400)]
    assert report.findings[0].evidence["inactive_share"] == 0.4


def test_memory_outside_of_the_allocator_is_found_when_it_grows():
    grows = GPU | {"device_used": lambda number: 1500 + 10 * number}
    ((path, value_mb),) = found(analyze(readings(100, **grows)), "outside_allocator")
    assert (path, value_mb) == ((), pytest.approx(560, rel=0.05))
    loads_at_first = GPU | {"device_used": lambda number: 1500 + 500 * (number > 5)}
    assert analyze(readings(100, **loads_at_first)).findings == []


def test_too_few_readings_are_said_to_be_too_few():
    (abstention,) = analyze(readings(3, **GPU)).abstentions
    assert (abstention.kind, abstention.reason) == (
        "fragmentation",
        "3 readings of the allocator are too few",
    )


def test_nothing_gives_an_empty_report():
    report = analyze([])
    assert (report.phases, report.findings, report.abstentions) == ([], [], [])


def test_what_recording_itself_takes_is_no_leak():
    report = report_of(
        "for step in range(1500):\n"
        "    with phase('step'):\n"
        "        with phase('forward'): pass\n"
        "        with phase('backward'): ci.mark('loss', 0.5)\n"
    )
    assert (report.findings, report.abstentions) == ([], [])
