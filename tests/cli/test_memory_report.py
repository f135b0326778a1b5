"""`cirron memory report`, over spools that trackers wrote."""

import json

import pytest

from stormlog.telemetry import spooled_events
from support.commands import cirron
from support.programs import run_program

LEAK = """
import os, signal, cirron as ci
from stormlog import MemoryTracker
ci.profile(frameworks=[])
kept = []
tracker = MemoryTracker(device="host")
tracker.start_tracking()
for _ in range(40):
    with tracker.phase("step"):
        with tracker.phase("forward"):
            {keep}.append(b"x" * 1_000_000)
{end}
"""


def record(keep="kept", end=""):
    ended = run_program(LEAK.format(keep=keep, end=end))
    assert ended.stderr == ""


def test_names_the_phase_and_the_number():
    record()
    ran = cirron("memory", "report")
    assert (ran.code, ran.err) == (0, "")
    head, columns, step, forward, *rest = ran.out.splitlines()
    assert head.startswith("Tracking session ")
    assert columns.split() == ["phase", "times", "growth", "peak", "at", "its", "last", "end"]
    assert (step.split()[:2], forward.split()[:2]) == (["step", "40"], ["forward", "40"])
    assert "growth: step / forward keeps 1.00 MB at each repetition" in rest
    assert any("repetitions 40, after warm up 32, kept per repetition 1.00 MB" in line for line in rest)


def test_says_nothing_of_a_healthy_program():
    record(keep="[]")
    ran = cirron("memory", "report")
    assert ran.out.splitlines()[-1] == "Nothing was found that keeps memory or needs much of it for a while."


def test_recovers_what_a_killed_program_recorded():
    record(end="os.kill(os.getpid(), signal.SIGKILL)")
    ran = cirron("memory", "report")
    assert "Recovered session" in ran.err
    assert "growth: step / forward keeps 1.00 MB at each repetition" in ran.out


def test_gives_the_same_as_json():
    record()
    report = json.loads(cirron("memory", "report", "--dir", ".", "--json").out)
    (finding,) = report["findings"]
    assert (finding["kind"], finding["path"]) == ("growth", ["step", "forward"])
    assert finding["value_bytes"] == pytest.approx(1_000_000, rel=0.05)
    assert [row["path"] for row in report["phases"]] == [["step"], ["step", "forward"]]


def test_says_what_to_do_where_no_memory_is_recorded():
    run_program("import cirron as ci; ci.profile(frameworks=[])")
    ran = cirron("memory", "report")
    assert (ran.code, ran.out) == (0, "")
    assert "use stormlog.MemoryTracker while ci.profile() is active" in ran.err


def test_fails_where_there_is_no_spool():
    ran = cirron("memory", "report", "--dir", "nowhere")
    assert ran.code == 1
    assert "no spool at nowhere" in ran.err


def test_draws_a_picture(tmp_path):
    record()
    ran = cirron("memory", "report", "--plot", "memory.svg")
    assert (ran.code, ran.err) == (0, "Wrote memory.svg\n")
    assert "<title>forward</title>" in (tmp_path / "memory.svg").read_text()


def test_names_some_of_the_phases_of_which_the_same_cannot_be_told():
    run_program(
        "import cirron as ci\n"
        "from stormlog import MemoryTracker\n"
        "ci.profile(frameworks=[])\n"
        "with MemoryTracker(device='host') as tracker:\n"
        "    for _ in range(2):\n"
        "        for name in 'abcde':\n"
        "            with tracker.phase(name): pass\n"
    )
    *_, last = cirron("memory", "report").out.splitlines()
    assert last == "not told: growth of a, b, c and 2 others: 2 repetitions; a trend takes 12"


CAPPED = """
import cirron as ci
from stormlog import MemoryTracker
ci.profile({"spool_max_bytes": 1024 * 1024}, frameworks=[])
with MemoryTracker(device="host") as tracker:
    for _ in range(20):
        for _ in range(100):
            with tracker.phase("step"):
                pass
        ci.flush()
recorded = len(tracker.events())
ci.shutdown()
print(recorded, ci.health()["spool_drop_memory_count"])
"""


def test_says_how_much_is_missing_because_the_cap_has_removed_it():
    recorded, removed = map(int, run_program(CAPPED).stdout.split())
    events, _, lost_count = spooled_events(".")
    assert (len(events) + removed, lost_count > 0) == (recorded, True)
    assert f"Warning: {lost_count:,} readings could not be kept" in cirron("memory", "report").err
