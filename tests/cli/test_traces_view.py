"""`cirron traces view` of several processes, as a table, of a run that goes on, and of parts."""

# ruff: noqa: RUF001 - a multiplication sign is meant

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from cirron.spool import read
from cirron.spool.records import Counters
from support.commands import cirron, start
from support.recording import MS, Recording, training

SPOOL = Path(".cirron", "spool")

LIVE = """
import sys
import cirron as ci

ci.profile(flush_interval=0.05)
with ci.scope("fit"):
    for epoch in ci.epochs(range(2)):
        with ci.scope("forward"):
            pass
        ci.flush()
        print("epoch", flush=True)
        sys.stdin.readline()
"""


def write(recording, number, **fields):
    """A session's batch with more said of it than a recording says, such as its rank."""
    batch = msgspec.structs.replace(recording.batch(number), **fields)
    SPOOL.mkdir(parents=True, exist_ok=True)
    (SPOOL / f"{batch.created_ns:020}-{batch.batch_id}.json").write_bytes(msgspec.json.encode(batch))
    return batch


def rank(number, *, forward_ms, world_size=3):
    """One rank of a run that began with the others, and is slower or faster in forward."""
    run = Recording(f"{number:x}" * 32)
    run.ids = (f"{number:x}" * 16 + f"{count:016x}" for count in range(1, 1_000))
    epoch = run.span("epoch", 0, 100 + forward_ms, index=0)
    run.span("forward", 50, 50 + forward_ms, parent=epoch)
    run.session(0, 110 + forward_ms)
    write(run, number, rank=number, world_size=world_size, run_id="r")


@pytest.fixture
def slow_rank():
    for number, forward_ms in enumerate([400, 410, 900]):
        rank(number, forward_ms=forward_ms)


def test_ranks_share_a_picture_that_tells_the_slowest(slow_rank):
    code, out, err = cirron("traces", "view", COLUMNS="100")
    assert (code, out.splitlines()) == (
        0,
        [
            "cirron.session ×3  2.04 s                    rank 0: 510 ms · median 520 ms · rank 2: 1.01 s  +2",
            "└─ epoch ×3        2.01 s  █████████▉  99 %  rank 0: 500 ms · median 510 ms · rank 2: 1.00 s  +2",
            "   └─ forward ×3   1.71 s  ████████▌   85 %  rank 0: 400 ms · median 410 ms · rank 2: 900 ms  +2",
        ],
    )
    assert err.splitlines() == [
        "Session 00000000 with 3 ranks; see also `cirron traces list`",
        "rank 2 spent 490 ms more than the median rank in epoch / forward",
        "84 % of the time (1.71 s) is in epoch / forward itself",
    ]


def test_one_rank_can_be_looked_at_alone(slow_rank):
    code, out, _ = cirron("traces", "view", "--session", "22", COLUMNS="110")
    assert (code, out.splitlines()[0].rstrip()) == (0, "cirron.session  1.01 s")


def test_workers_stand_below_their_main_process_together():
    main = Recording("ab" * 16)
    main.span("batch", 0, 90, index=0)
    main.session(0, 100)
    write(main, 1)
    for number in range(2):
        worker = Recording(f"{number}" * 32)
        worker.ids = (f"{number}" * 16 + f"{count:016x}" for count in range(1, 1_000))
        worker.span("decode", 10, 40)
        worker.session(5, 50)
        write(worker, 2 + number, worker=str(number), parent_session_id="ab" * 16)
    code, out, err = cirron("traces", "view")
    assert (code, out.splitlines()) == (
        0,
        [
            "cirron.session   100 ms                    session abababab",
            "└─ batch[0]     90.0 ms  █████████   90 %",
            "workers ×2      90.0 ms                    mean 45.0 ms  p95 45.0 ms",
            "└─ decode ×2    60.0 ms  ██████▋     67 %  mean 30.0 ms  p95 30.0 ms",
        ],
    )
    assert err.splitlines()[0] == "Session abababab with 2 workers; see also `cirron traces list`"


def test_flat_has_a_row_for_each_path_the_most_time_itself_first():
    training(2, 20).write(SPOOL)
    code, out, _ = cirron("traces", "view", "--flat")
    rows = out.splitlines()
    assert code == 0
    assert out.splitlines()[0].split() == [
        "scope",
        "count",
        "total",
        "self",
        "mean",
        "p50",
        "p95",
        "p99",
        "share",
    ]
    assert [row.split("  ")[0] for row in rows[1:]] == [
        "epoch / step / backward",
        "epoch / step / forward",
        "epoch / step / data_load",
        "epoch / evaluate",
        "cirron.session",
        "epoch",
        "epoch / step",
    ]


def test_flat_as_json_is_in_nanoseconds():
    run = Recording()
    for step, wall in enumerate([10, 20, 30, 100]):
        span = run.span("step", step * 100, step * 100 + wall, index=step)
        run.span("forward", step * 100, step * 100 + wall / 2, parent=span)
    run.session(0, 500)
    run.write(SPOOL)
    code, out, err = cirron("traces", "view", "--flat", "--json")
    rows = {tuple(row["path"]): row for row in json.loads(out)}
    assert (code, err) == (0, "")
    assert rows[("step",)] == {
        "path": ["step"],
        "count": 4,
        "total_ns": 160 * MS,
        "self_ns": 80 * MS,
        "mean_ns": 40.0 * MS,
        "p50_ns": 20 * MS,
        "p95_ns": 100 * MS,
        "p99_ns": 100 * MS,
        "share": 0.16,
        "unfinished_count": 0,
    }
    assert rows[("cirron.session",)]["self_ns"] == 340 * MS
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1)


def test_short_spans_can_be_left_out_and_are_counted():
    training(1, 20).write(SPOOL)
    code, out, err = cirron("traces", "view", "--min-wall", "5ms", "--flat", "--json")
    assert code == 0
    assert {tuple(row["path"]) for row in json.loads(out)} == {
        ("cirron.session",),
        ("epoch",),
        ("epoch", "step"),
        ("epoch", "step", "backward"),
        ("epoch", "step", "data_load"),
        ("epoch", "evaluate"),
    }
    assert "spans left out: they took less than 5.00 ms, or lie in one that did" in err


@pytest.mark.parametrize("given", ["5", "ms", "-1ms", "1 parsec", ""])
def test_a_duration_without_a_unit_is_wrong_usage(given):
    code, out, err = cirron("traces", "view", "--min-wall", given)
    assert (code, out) == (2, "")
    assert (
        f"'{given}' is not a duration: give a number and one of ns, us, µs, ms, s, min, h, as in 1ms" in err
    )


def test_the_spans_that_closed_last_come_from_the_whole_run():
    for number in range(3):
        run = Recording("5e" * 16)
        run.ids = (f"{number}" * 16 + f"{count:016x}" for count in range(1, 1_000))
        for step in range(4):
            span = run.span("step", number * 100 + step * 10, number * 100 + step * 10 + 5, index=step)
            run.mark(span, "loss", float(number), at=number * 100 + step * 10)
        write(run, number)
    code, out, _ = cirron("traces", "view", "--last", "5")
    assert code == 0
    assert [line.split("  ")[0] for line in out.splitlines()] == [
        "step[3]",
        "step[0]",
        "step[1]",
        "step[2]",
        "step[3]",
    ]
    assert out.splitlines()[0].endswith("loss 1")
    assert out.splitlines()[4].endswith("loss 2")


@pytest.mark.parametrize(
    "options",
    [
        ["--flat", "--depth", "1"],
        ["--flat", "--last", "1"],
        ["--follow", "--flat"],
        ["--follow", "--json"],
        ["--follow", "--last", "1"],
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(options):
    code, out, err = cirron("traces", "view", *options)
    assert (code, out) == (2, "")
    assert "Leave one out." in err


def test_the_scopes_that_a_live_run_has_open_are_shown_by_name():
    with _live() as program:
        program.stdout.readline()
        code, out, _ = cirron("traces", "view")
        _end(program)
    assert code == 0
    shape = [(_label(line), "still open" in line) for line in out.splitlines()]
    assert shape == [("cirron.session", True), ("fit", True), ("epoch[0]", True), ("forward", False)]


def test_follow_without_a_terminal_waits_for_the_end_and_prints_the_whole():
    with _live() as program:
        program.stdout.readline()
        with start("traces", "view", "--follow") as following:
            _end(program)
            out, err = following.communicate()
    assert (following.returncode, err) == (0, "")
    assert [_label(line) for line in out.splitlines()] == [
        "cirron.session", "fit", "epoch[0]", "forward", "epoch[1]", "forward",
    ]  # fmt: skip


def test_an_interrupted_follow_exits_with_130_and_leaves_the_run_alone():
    with _live() as program:
        program.stdout.readline()
        with start("traces", "view", "--follow", CIRRON_TEST="1") as following:
            following.send_signal(signal.SIGINT)
            out, err = following.communicate()
        _end(program)
    assert (following.returncode, out) in ((130, ""), (-signal.SIGINT, "")), err
    assert program.returncode == 0


def test_a_live_run_whose_journal_cannot_be_read_is_shown_without_its_open_scopes():
    training(1, 3).write(SPOOL)
    journal = SPOOL.parent / "journal" / f"{'5e' * 16}.journal"
    journal.parent.mkdir()
    journal.write_bytes(b"not a journal")
    code, out, err = cirron("traces", "view")
    assert (code, out.splitlines()[0].split()[0]) == (0, "cirron.session")
    assert "Warning: open scopes are not shown: " in err


def _label(line):
    return re.search(r"[\w.]+(\[\d+\])?", line)[0]


def _live():
    return subprocess.Popen(
        [sys.executable, "-c", LIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )


def _end(program):
    """Let the program go through its second epoch and end."""
    program.communicate("\n\n")


def test_what_was_lost_while_recording_is_said_once_as_the_newest_batch_counts_it():
    run = Recording()
    run.session(0, 10)
    write(run, 1, counters=Counters(spans_dropped=1))
    write(Recording(), 2, counters=Counters(spans_dropped=5, scopes_too_deep=2, spool_marks_dropped=1))
    _, _, err = cirron("traces", "view")
    assert err == (
        "Warning: 7 spans and 1 mark could not be kept while recording, so this is not all; ci.health() says why\n"
    )
    (session,) = json.loads(cirron("traces", "list", "--json").out)
    assert (session["spans_dropped"], session["marks_dropped"]) == (7, 1)


def test_what_is_sealed_of_a_live_run_waits_for_a_scope_that_is_not(damaged_spools):
    """A child that is in a batch, whose parent has closed since, belongs nowhere else meanwhile."""
    with _live() as program:
        program.stdout.readline()
        (batch,) = read(SPOOL).batches()
        orphan = msgspec.structs.replace(
            batch.spans[0], id="a" * 32, parent_id="b" * 32, name="orphan", mark_ids=[]
        )
        later = msgspec.structs.replace(
            batch, spans=[orphan], marks=[], batch_id="c" * 32, created_ns=batch.created_ns + 1
        )
        (SPOOL / f"{later.created_ns:020}-{later.batch_id}.json").write_bytes(msgspec.json.encode(later))
        code, out, _ = cirron("traces", "view")
        _end(program)
    assert (code, "orphan" in out) == (0, False)
    assert "orphan" in cirron("traces", "view").out
