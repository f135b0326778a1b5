"""`cirron traces snapshots` as a user runs it, over spools on disk."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from cirron.spool.records import Histogram, Stats
from cirron.tree.units import TIMES
from support.commands import cirron
from support.recording import EPOCH_NS, STATS, Recording

OUTPUT = Path(".cirron")
SPOOL = OUTPUT / "spool"

HEAD = 0x446A507B2456443F
SESSION_ID = "446a507b2456443f923f85774a0854e3"

HEAD_LINE = ["span", "scope", "tensor", "shape", "dtype", "mode", "mean", "std", "min", "max", "norm", "time"]
FULL = ["float32", "full", "0", "0.25", "-0.875", "0.875", "3.125"]
NONE = ["float32", "stats", "-", "-", "-", "-", "-"]
NAN = ["not finite"] * 5

LIVE = """
import sys
import cirron as ci

ci.profile()
with ci.scope("epoch", 7):
    ci.flush()
    print("ready", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def training():
    """Two epochs with a snapshot of one tensor in each, then one of a scalar that is not finite."""
    recording = Recording(SESSION_ID, id_head=HEAD)
    for epoch in range(2):
        span_id = recording.span("epoch", epoch * 10, epoch * 10 + 10, index=epoch)
        recording.snapshot(span_id, "fc.weight", at=epoch * 10 + 5, shape=(10, 64), mode="full")
    nothing = Stats(mean=None, std=None, min=None, max=None, norm=None)
    recording.snapshot(span_id, "scale", at=19, shape=(), stats=nothing, dtype="bfloat16")
    recording.snapshot(SESSION_ID, "odd", at=20, stats=None)
    recording.session(0, 20, attrs={"cirron.ended": "completed"})
    recording.write(SPOOL)


def test_the_table_has_a_line_for_each_snapshot_in_the_order_of_time(training):
    ran = cirron("traces", "snapshots")
    lines = ran.out.splitlines()
    assert [re.split(" {2,}", line) for line in lines] == [
        HEAD_LINE,
        [*f"446a507b..0001 epoch[0] fc.weight 10{TIMES}64".split(), *FULL, "2023-11-14T22:13:20.005Z"],
        [*f"446a507b..0003 epoch[1] fc.weight 10{TIMES}64".split(), *FULL, "2023-11-14T22:13:20.015Z"],
        [
            "446a507b..0003",
            "epoch[1]",
            "scale",
            "scalar",
            "bfloat16",
            "stats",
            *NAN,
            "2023-11-14T22:13:20.019Z",
        ],
        [*f"446a507b..54e3 cirron.session odd 4{TIMES}4".split(), *NONE, "2023-11-14T22:13:20.020Z"],
    ]
    assert len({line.rindex("  ") for line in lines}) == 1, "numbers end in one column"
    assert (ran.code, ran.err) == (0, "Look closer with `cirron traces snapshot 446a507b..54e3`\n")


def test_a_span_is_named_as_it_is_listed_or_by_its_beginning(training):
    for given in ("446a507b..0003", "446A507B2456443F0000000000000003", "..0003"):
        out = cirron("traces", "snapshots", given).out
        assert [line.split()[1:3] for line in out.splitlines()[1:]] == [
            ["epoch[1]", "fc.weight"],
            ["epoch[1]", "scale"],
        ]


def test_json_has_all_fields_and_the_place(training):
    ran = cirron("traces", "snapshots", "..0001", "--json")
    (snapshot,) = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert {key: snapshot[key] for key in ("session_id", "scope_name", "scope_index", "tensor_name")} == {
        "session_id": SESSION_ID,
        "scope_name": "epoch",
        "scope_index": 0,
        "tensor_name": "fc.weight",
    }
    assert snapshot["ts_ns"] == EPOCH_NS + 5_000_000
    assert snapshot["stats"]["histogram"]["counts"] == STATS.histogram.counts


def test_without_a_span_only_the_newest_run_is_listed(training):
    new = Recording("5e" * 16)
    new.snapshot(new.session(100, 110), "bias")
    new.write(SPOOL, 2)
    assert [line.split()[2] for line in cirron("traces", "snapshots").out.splitlines()] == ["tensor", "bias"]
    assert len(cirron("traces", "snapshots", "--session", "446a").out.splitlines()) == 5
    assert len(cirron("traces", "snapshots", "..0003").out.splitlines()) == 3
    assert cirron("traces", "snapshots", "..0003", "--session", "5e").out == ""


def test_a_session_without_snapshots_is_said_to_have_none():
    recording = Recording("5e" * 16)
    recording.session(0, 1)
    recording.write(SPOOL)
    ran = cirron("traces", "snapshots")
    assert ran == (
        0,
        "",
        "No snapshots in session 5e5e5e5e; `cirron traces list` has how many each session took\n",
    )
    assert cirron("traces", "snapshots", "--json").out == "[]\n"
    assert "No snapshots in a span 'ab' in .cirron;" in cirron("traces", "snapshots", "ab").err


def test_a_narrow_terminal_gets_fewer_columns_and_is_told(training):
    ran = cirron("traces", "snapshots", COLUMNS="80")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "fc.weight" in ran.out
    assert ran.err.startswith("No room for ")


def test_a_long_name_is_cut_on_a_terminal_only():
    recording = Recording("5e" * 16)
    recording.snapshot(recording.session(0, 1), "transformer." * 20 + "weight")
    recording.write(SPOOL)
    assert "transformer." * 20 + "weight" in cirron("traces", "snapshots").out
    assert max(map(len, cirron("traces", "snapshots", COLUMNS="80").out.splitlines())) <= 80


def test_an_ascii_terminal_gets_plain_characters(training):
    ran = cirron("traces", "snapshots", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert (ran.code, ran.out.isascii()) == (0, True)
    assert "10x64" in ran.out


def test_names_cannot_command_the_terminal():
    recording = Recording("5e" * 16)
    span_id = recording.span("epoch\x1b[2J", 0, 1)
    recording.snapshot(span_id, "weight\x07\u202e", dtype="float\r32")
    recording.session(0, 2)
    recording.write(SPOOL)
    ran = cirron("traces", "snapshots")
    assert r"epoch\x1b[2J" in ran.out
    assert r"weight\x07\u202e" in ran.out
    assert all(line.isprintable() for line in ran.out.splitlines())
    detail = cirron("traces", "snapshot", span_id)
    assert (detail.code, all(line.isprintable() for line in detail.out.splitlines())) == (0, True)


def test_the_scope_of_a_snapshot_may_come_in_an_earlier_or_later_batch():
    early, late = Recording("5e" * 16), Recording("5e" * 16, id_head=1)
    first = early.span("first", 0, 1)
    second = f"{99:032x}"
    early.snapshot(second, "weight", at=1)
    late.span("second", 1, 2, id=second)
    late.snapshot(first, "weight", at=2)
    late.session(0, 3)
    early.write(SPOOL, 1)
    late.write(SPOOL, 2)
    assert [line.split()[1] for line in cirron("traces", "snapshots").out.splitlines()[1:]] == [
        "second",
        "first",
    ]


def test_a_scope_that_is_nowhere_is_shown_as_unknown():
    recording = Recording("5e" * 16)
    recording.snapshot("99" * 16, "weight")
    recording.snapshot("root", "bias")
    recording.write(SPOOL)
    assert [line.split()[1] for line in cirron("traces", "snapshots").out.splitlines()[1:]] == ["root", "?"]


def test_the_scope_that_a_live_session_has_open_is_named():
    with subprocess.Popen(
        [sys.executable, "-P", "-c", LIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        (journal,) = (OUTPUT / "journal").glob("*.journal")
        recording = Recording(journal.stem, id_head=int("f" * 16, 16))
        recording.snapshot(journal.stem[:16] + f"{2:016x}", "weight")
        recording.snapshot(journal.stem, "bias")
        recording.write(SPOOL)
        out = cirron("traces", "snapshots").out
        process.communicate("go on\n")
    assert sorted(line.split()[1] for line in out.splitlines()[1:]) == ["cirron.session", "epoch[7]"]


def test_batches_without_snapshots_that_cannot_be_read_are_mentioned(training, damaged_spools):
    (SPOOL / f"{3:020}-{3:032x}.json").write_text("{")
    ran = cirron("traces", "snapshots")
    assert ran.code == 0
    assert f"Warning: left out {3:020}-{3:032x}.json: byte 1" in ran.err


def test_edges_of_a_histogram_have_the_digits_that_tell_them_apart():
    recording = Recording("5e" * 16)
    bins = [1 + edge * 1e-9 for edge in range(17)]
    narrow = Stats(mean=1, std=0, min=1, max=1, norm=1, histogram=Histogram(bins=bins, counts=[1] * 16))
    recording.snapshot(recording.session(0, 1), "norm.weight", stats=narrow)
    recording.write(SPOOL)
    out = cirron("traces", "snapshot", "5e", "norm").out
    assert "1.000000001 .. 1.000000002  1  ████" in out


def test_wide_characters_keep_the_columns_in_line():
    recording = Recording("5e" * 16)
    session_id = recording.session(0, 1)
    for name in ("重み", "weight"):
        recording.snapshot(session_id, name)
    recording.write(SPOOL)
    offsets = {
        cell_len(line[: line.index("2023")]) for line in cirron("traces", "snapshots").out.splitlines()[1:]
    }
    assert len(offsets) == 1
