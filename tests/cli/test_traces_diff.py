"""`cirron traces diff` as a build uses it, and as a person reads it."""

import json
import os
import pty
import signal
import struct
import subprocess
import termios
from fcntl import ioctl
from pathlib import Path

import pytest

import cirron as ci
from support.commands import COMMAND, cirron
from support.noisy_runs import noisy_run
from support.programs import run_program
from support.recording import Recording
from support.spool_files import bare_batch, put, session_span, span

SPOOL = Path(".cirron", "spool")
A, B = "aa" * 16, "bb" * 16

PROGRAM = """
import sys, time
import cirron as ci

def spin(ms):
    until_ns = time.perf_counter_ns() + ms * 1_000_000
    while time.perf_counter_ns() < until_ns:
        pass

ci.profile(path=sys.argv[1])
for _ in ci.epochs(range(2)):
    for _ in ci.batches(range(20)):
        with ci.scope("load"):
            spin(int(sys.argv[2]))
        with ci.scope("forward"):
            spin(2)
"""

KILLED = """
import os, signal
import cirron as ci

ci.profile()
for step in ci.batches(range(30)):
    if step == 20:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def diff(*arguments, **environ):
    return cirron("traces", "diff", *arguments, **environ)


def paths(out):
    """What stands in the first column of the table."""
    table = out.split("\n\n")[1]
    return [line.split("  ")[0] for line in table.splitlines()[1:]]


def write(before, after):
    before.write(SPOOL, 1)
    after.write(SPOOL, 2)


@pytest.fixture
def slower():
    """Two sessions; in the second, forward takes a fifth more."""
    write(noisy_run(1, session_id=A), noisy_run(2, session_id=B, slower={"forward": 1.2}))


@pytest.fixture
def twins():
    """Two sessions that differ by chance only."""
    write(noisy_run(3, session_id=A), noisy_run(4, session_id=B))


def steady(session_id, *walls_ms, names=("step",)):
    """A session whose scopes take exactly so long, one after the other."""
    recording, clock = Recording(session_id, id_head=int(session_id[:2], 16)), 0.0
    for wall_ms in walls_ms:
        for name in names:
            recording.span(name, clock, clock + wall_ms)
            clock += wall_ms
    recording.session(0, clock, attrs={"cirron.ended": "completed"})
    return recording


# ---- for a build ----


def test_a_planted_slow_down_fails_a_build_and_is_named(slower):
    code, out, err = diff("aa", "bb", "--fail-on-regression", "10%")
    assert code == 3
    assert paths(out)[0] == "epoch / step / forward"
    assert err.startswith("Regression: epoch / step / forward +")
    assert "most of it: epoch / step / forward (+" in out.splitlines()[-1]


def test_without_the_option_a_slow_down_fails_nothing(slower):
    code, _, err = diff("aa", "bb")
    assert (code, err) == (0, "")


@pytest.mark.parametrize("seed", range(0, 12, 2))
def test_a_healthy_twin_passes(seed):
    write(noisy_run(seed, session_id=A), noisy_run(seed + 1, session_id=B))
    code, _, err = diff("aa", "bb", "--fail-on-regression", "10")
    assert (code, err) == (0, "No scope got slower by more than 10 % beyond noise\n")


def test_a_faster_run_passes(slower):
    assert diff("bb", "aa", "--fail-on-regression", "0").code == 0


def test_a_slow_down_below_the_limit_passes(slower):
    code, _, err = diff("aa", "bb", "--fail-on-regression", "40 %")
    assert (code, err) == (0, "No scope got slower by more than 40 % beyond noise\n")


def test_too_few_spans_are_told_instead_of_passed_over():
    write(steady(A, 1, 1), steady(B, 9, 9))
    code, out, err = diff("aa", "bb", "--fail-on-regression", "10%")
    assert code == 0
    assert "too few to tell" in out
    assert err == (
        "Warning: nothing could be judged: no scope has 5 spans on both sides; record longer runs\n"
    )


@pytest.mark.parametrize("limit", ["ten", "-1", "nan", "inf", "", "%", "10%%", "0x10"])
def test_what_is_no_percentage_is_wrong_usage(twins, limit):
    code, out, err = diff("aa", "bb", f"--fail-on-regression={limit}")
    assert (code, out) == (2, "")
    assert "is no percentage: give a number from 0 up, such as 10%" in err


def test_a_build_can_watch_one_scope(slower):
    assert diff("aa", "bb", "--fail-on-regression", "10%", "--name", "data_load").code == 0
    assert diff("aa", "bb", "--fail-on-regression", "10%", "--name", "forward").code == 3


def test_many_regressions_are_counted():
    names = [f"scope {number}" for number in range(13)]
    write(steady(A, *[1] * 6, names=names), steady(B, *[2] * 6, names=names))
    code, _, err = diff("aa", "bb", "--fail-on-regression", "10%")
    assert code == 3
    assert len(err.splitlines()) == 11
    assert err.splitlines()[-1] == "Regression: 3 more scopes"


# ---- what is compared ----


def test_two_recorded_runs_are_compared_by_their_folders():
    for folder, load_ms in (("before", "1"), ("after", "4")):
        ended = run_program(PROGRAM.replace("sys.argv[1]", repr(folder)).replace("sys.argv[2]", load_ms))
        assert (ended.code, ended.stderr) == (0, "")
    code, out, err = diff("before", "after/spool", "--fail-on-regression", "50%")
    assert code == 3
    assert "epoch / batch / load" in paths(out)
    assert "Regression: epoch / batch / load +" in err


def test_a_folder_stands_for_its_newest_run(twins):
    newest = json.loads(diff("aa", ".cirron", "--json").out)["after"]
    assert newest["sessions"] == [B]


def test_an_id_and_a_folder_can_be_compared(twins):
    noisy_run(5, session_id="cc" * 16).write(Path("other", ".cirron", "spool"))
    found = json.loads(diff("aa", "other", "--json").out)
    assert (found["before"]["sessions"], found["after"]["sessions"]) == ([A], ["cc" * 16])


def test_a_run_compared_with_itself_has_not_changed(twins):
    code, out, err = diff("aa", "AA", "--fail-on-regression", "0")
    assert code == 0
    assert err.splitlines()[0] == "A and B are the same; see `cirron traces list` for others"
    assert out.splitlines()[-1].endswith("; none of 4 scopes changed beyond noise")
    assert out.splitlines()[-1].startswith("B took about as long as A")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["77", "bb"], "no session in .cirron begins with '77': see `cirron traces list`"),
        (["aa", "77"], "no session in .cirron begins with '77': see `cirron traces list`"),
        (["runs/1", "bb"], "no spool at runs/1: the directory does not exist"),
        (["note.txt", "bb"], "no spool at note.txt: it is a file"),
        (["empty", "bb"], "nothing is recorded in empty"),
        (["aa", "bb", "--spool", "elsewhere"], "no spool at elsewhere: the directory does not exist"),
        (
            ["aa", "bb", "--name", "epoc"],
            "no scope is called 'epoc' in A or B: there are backward, cirron.session, data_load, epoch,",
        ),
    ],
)
def test_what_cannot_be_compared_says_why_and_exits_with_1(twins, arguments, message):
    Path("note.txt").write_text("x")
    Path("empty").mkdir()
    code, out, err = diff(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: {message}")


@pytest.mark.parametrize("arguments", [[], ["aa"], ["", "bb"], ["aa", " "], ["aa", "bb", "--limit", "0"]])
def test_wrong_usage_exits_with_2(twins, arguments):
    code, out, err = diff(*arguments)
    assert (code, out) == (2, "")
    assert "Usage: cirron traces diff" in err


def test_a_damaged_file_is_mentioned_once(twins, damaged_spools):
    name = f"{3:020}-{3:032x}.json"
    (SPOOL / name).write_text('{"schema_version": 1, "spans": [')
    code, out, err = diff("aa", "bb")
    assert (code, len(paths(out))) == (0, 6)
    assert len(err.splitlines()) == 1
    assert err.startswith(f"Warning: left out {name}: byte ")


def test_a_ring_of_parents_is_no_trap(damaged_spools):
    ring = Recording(A)
    ring.span("one", 0, 5, id="1" * 32, parent="2" * 32)
    ring.span("two", 1, 4, id="2" * 32, parent="1" * 32)
    write(ring, steady(B, 1, 2))
    assert diff("aa", "bb").code == 0


def test_spools_of_writers_that_name_no_session_are_compared():
    for number, (folder, wall_ns) in enumerate([("old", 1_000_000), ("new", 3_000_000)], 1):
        Path(folder, "spool").mkdir(parents=True)
        spans = [
            span(n, "step", start_ns=n * 10_000_000, end_ns=n * 10_000_000 + wall_ns, later="ignored")
            for n in range(1, 9)
        ]
        root = session_span(start_ns=1, end_ns=90_000_000, id="5e" * 16)
        put(Path(folder, "spool"), bare_batch(number, spans=[*spans, root], extra={"key": 1}))
    code, out, err = diff("old", "new", "--fail-on-regression", "10%")
    assert code == 3
    assert err == "Regression: step +200 % (1.00 ms → 3.00 ms, noise ±0.0 %)\n"
    assert "step" in paths(out)


def test_a_killed_run_is_compared_scope_by_scope_and_said_to_be_killed():
    ended = run_program(KILLED)
    assert ended.code == -signal.SIGKILL, ended.stderr
    steady("cc" * 16, *[1] * 40, names=["batch"]).write(Path("whole", ".cirron", "spool"))
    code, out, err = diff("whole", ".cirron")
    assert code == 0
    assert err.startswith("Recovered session ")
    assert out.splitlines()[1].endswith("killed")
    assert "≥ " in out.splitlines()[1]
    assert out.splitlines()[-1].startswith("B has no regular end, so compare the scopes, not the runs (")


def test_a_run_that_still_goes_on_has_the_paths_of_one_that_ended():
    run_program(
        "import cirron as ci; ci.profile(path='whole'); [0 for _ in ci.epochs([1]) for _ in ci.batches(range(9))]"
    )
    ci.profile()
    with ci.scope("epoch"):
        for _ in ci.batches(range(9)):
            pass
        ci.flush()
        out = diff("whole", ".cirron").out
    ci.shutdown()
    assert sorted(paths(out)) == ["cirron.session", "epoch", "epoch / batch"]
    assert out.splitlines()[1].endswith("still open")


# ---- what is printed ----


def test_the_header_says_what_is_compared(twins):
    first, second = diff("aa", "bb").out.splitlines()[:2]
    assert first.startswith("A  aaaaaaaa  2023-11-14T22:13:20.000Z  1.")
    assert second.startswith("B  bbbbbbbb  2023-11-14T22:13:20.000Z  1.")


def test_a_pipe_gets_whole_names_and_no_colours():
    names = [f"a module with quite a long name, number {number}, in the middle of it" for number in range(3)]
    write(steady(A, *[1] * 9, names=names), steady(B, *[2] * 9, names=names))
    out = diff("aa", "bb").out
    assert set(names) <= set(paths(out))
    assert "\x1b" not in out


def test_a_table_of_eighty_columns_fits(slower):
    out = diff("aa", "bb", COLUMNS="80").out
    assert max(map(len, out.split("\n\n")[1].splitlines())) <= 80


def test_a_terminal_without_arrows_gets_plain_characters(slower):
    code, out, _ = diff("aa", "bb", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert code == 0
    assert out.isascii()
    assert "\\u" not in out
    assert "^ +" in out


def test_names_cannot_command_the_terminal():
    write(steady(A, *[1] * 6, names=["a\x1b[31m\n"]), steady(B, *[2] * 6, names=["a\x1b[31m\n"]))
    code, out, err = diff("aa", "bb", "--fail-on-regression", "10%")
    assert code == 3
    assert "\x1b" not in out + err
    assert "a\\x1b[31m\\n" in out


def on_a_terminal(*arguments, columns=100, **environ):
    """What a command shows on a terminal so wide."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [*COMMAND, "traces", "diff", *arguments],
        stdout=theirs,
        env={**os.environ, "PYTHONUTF8": "1", "TERM": "xterm"} | environ,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # how Linux ends a terminal whose other side is closed
            pass
        finally:
            os.close(ours)
    return process.returncode, shown.decode()


def test_a_terminal_gets_colours(slower):
    code, shown = on_a_terminal("aa", "bb")
    assert code == 0
    assert "\x1b[1;31m▲ +" in shown


@pytest.mark.parametrize(("arguments", "environ"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})])
def test_colours_can_be_turned_off(slower, arguments, environ):
    code, shown = on_a_terminal("aa", "bb", *arguments, **environ)
    assert code == 0
    assert "\x1b" not in shown
    assert "▲ +" in shown


def test_a_narrow_terminal_shows_the_ends_of_paths(slower):
    _, shown = on_a_terminal("aa", "bb", "--no-color", columns=66)
    assert max(len(line) for line in shown.split("\r\n\r\n")[1].splitlines()) <= 66
    assert "…" in shown


def test_the_table_shows_as_many_scopes_as_asked_and_counts_the_others(slower):
    code, out, err = diff("aa", "bb", "--limit", "2")
    assert (code, len(paths(out))) == (0, 2)
    assert err == "4 more scopes changed less; see --limit\n"


def test_json_has_all_the_numbers(slower):
    found = json.loads(diff("aa", "bb", "--json", "--fail-on-regression", "10%").out)
    first = found["scopes"][0]
    assert first["path"] == ["epoch", "step", "forward"]
    assert (first["status"], first["regression"], first["before"]["count"]) == ("both", True, 120)
    assert 1.1 < first["typical"]["after_ns"] / first["typical"]["before_ns"] < 1.3
    assert 0 < first["typical"]["low_ns"] < first["typical"]["change_ns"] < first["typical"]["high_ns"]
    assert found["change_ns"] == found["after"]["run_ns"] - found["before"]["run_ns"]
    assert found["after"]["cut_off"] is None
    assert [scope["regression"] for scope in found["scopes"]].count(True) == 1


def test_json_lists_new_and_gone_scopes():
    write(steady(A, 1, names=["old"]), steady(B, 1, names=["new"]))
    found = json.loads(diff("aa", "bb", "--json").out)
    statuses = {scope["path"][0]: scope["status"] for scope in found["scopes"]}
    assert statuses == {"old": "gone", "new": "new", "cirron.session": "both"}


def test_the_tab_key_offers_sessions_and_folders(twins):
    typed = dict(COMP_WORDS="cirron traces diff aa ", COMP_CWORD="4", _CIRRON_COMPLETE="bash_complete")
    assert diff(**typed).out.splitlines() == ["dir,", f"plain,{B}", f"plain,{A}"]


def test_a_folder_whose_name_is_no_text_is_compared():
    spool = Path(os.fsdecode(b"run-\xff"), ".cirron", "spool")
    steady(A, 1, 2).write(spool)
    code, out, _ = diff(spool, spool, "--json")
    assert (code, json.loads(out)["after"]["sessions"]) == (0, [A])


def test_the_help_shows_an_example():
    code, out, _ = diff("--help")
    assert code == 0
    assert "cirron traces diff 5b1f c1d2" in out
