"""`cirron traces …` as a user runs it: in a process of its own, over spools on disk."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cirron._version import __version__
from support.recording import Recording, training

KILLED = """
import os, signal
import cirron as ci

ci.profile()
for epoch in ci.epochs(range(3)):
    ci.mark("loss", 0.5)
    if epoch == 1:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def cirron(*arguments, **environment):
    """Run one command; returns (exit code, standard output, standard error)."""
    done = subprocess.run(
        [sys.executable, "-m", "cirron.cli", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"} | environment,
    )
    return done.returncode, done.stdout, done.stderr


def lines(*texts):
    return "".join(f"{text}\n" for text in texts)


@pytest.fixture
def spool():
    """The spool that commands read when they are told of none."""
    return Path(".cirron", "spool")


@pytest.fixture
def two_sessions(spool):
    """An old session of three spans and a new one that still goes on."""
    old, new = Recording("ab" * 16), Recording("5e" * 16)
    old.span("epoch", 1, 4, index=0)
    old.span("epoch", 4, 9, index=1)
    old.session(0, 10, attrs={"cirron.ended": "completed"})
    new.span("prepare", 20, 30)
    old.write(spool, number=1)
    new.write(spool, number=2)


def test_view_shows_the_newest_session_and_says_so(two_sessions):
    assert cirron("traces", "view") == (
        0,
        lines(
            "cirron.session  ≥ 10.0 ms                     still open",
            "└─ prepare        10.0 ms  ██████████  100 %",
        ),
        "Session 5e5e5e5e, the newest of 2; see also `cirron traces list`\n",
    )


def test_view_shows_the_session_whose_id_begins_as_given(two_sessions):
    assert cirron("traces", "view", "--session", "AB") == (
        0,
        lines(
            "cirron.session  10.0 ms",
            "├─ epoch[0]     3.00 ms  ███         30 %",
            "└─ epoch[1]     5.00 ms  █████       50 %",
        ),
        "",
    )


def test_view_filters_by_name_last_and_depth(spool):
    training(3, 20).write(spool)
    assert cirron("traces", "view", "--name", "epoch", "--last", "2", "--depth", "0")[1].splitlines() == [
        "epoch[2]  280 ms  accuracy 0.9  1 span below",
    ]


def test_view_prints_the_whole_tree_as_json(spool):
    training(2, 20).write(spool)
    code, out, err = cirron("traces", "view", "--json", "--name", "epoch")
    tree = json.loads(out)
    assert (code, err, tree["span_count"]) == (0, "", 2 * (1 + 20 * 4 + 1))
    assert [root["name"] for root in tree["roots"]] == ["epoch", "epoch"]


def test_list_has_a_line_for_each_session(two_sessions):
    code, out, err = cirron("traces", "list")
    assert code == 0
    assert re.sub(r" +(size|[\d.]+ K?B)$", "", out, flags=re.MULTILINE).splitlines() == [
        "session   started                   duration  ended      spans  marks  snapshots",
        "abababab  2023-11-14T22:13:20.000Z   10.0 ms  completed      3      0          0",
        "5e5e5e5e  2023-11-14T22:13:20.020Z   10.0 ms  unknown        1      0          0",
    ]
    assert err == "Look at one with `cirron traces view --session 5e5e5e5e`\n"


def test_list_prints_json(two_sessions):
    code, out, err = cirron("traces", "list", "--json")
    assert (code, err) == (0, "")
    assert [(session["id"], session["spans"], session["ended"]) for session in json.loads(out)] == [
        ("ab" * 16, 3, "completed"),
        ("5e" * 16, 1, "unknown"),
    ]


def test_list_of_an_empty_spool_says_so(spool):
    spool.mkdir(parents=True)
    assert cirron("traces", "list") == (0, "", "Nothing is recorded in .cirron\n")
    assert cirron("traces", "list", "--json") == (0, "[]\n", "")


@pytest.mark.parametrize("given", [".", "run/.cirron", "run/.cirron/spool", "run"])
def test_a_spool_may_be_named_by_any_folder_around_it(spool, given):
    training(1, 1).write("run" / spool)
    where = given if given != "." else "run"
    assert cirron("traces", "view", "--spool", where)[1].startswith("cirron.session")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["view", "--session", "77"], "no session in .cirron begins with '77': see `cirron traces list`"),
        (
            ["view", "--name", "epoc"],
            "no span is called 'epoc': there are cirron.session, prepare",
        ),
        (["view", "--spool", "elsewhere"], "no spool at elsewhere: the directory does not exist"),
    ],
)
def test_what_cannot_be_done_says_why_and_exits_with_1(two_sessions, arguments, message):
    code, out, err = cirron("traces", *arguments)
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: {message}")


def test_a_prefix_of_several_sessions_asks_for_more_digits(spool):
    for number, session_id in enumerate(["ab" * 16, "ac" * 16]):
        recording = Recording(session_id)
        recording.session(0, 1)
        recording.write(spool, number)
    code, _, err = cirron("traces", "view", "--session", "a")
    assert code == 1
    assert err == f"Error: 2 sessions begin with 'a': give more digits of one of {'ab' * 16}, {'ac' * 16}\n"


def test_a_spool_without_sessions_tells_how_to_record_one(spool):
    spool.mkdir(parents=True)
    code, _, err = cirron("traces", "view")
    assert code == 1
    assert err == (
        "Error: nothing is recorded in .cirron: run a program that calls ci.profile(), or name its --spool\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["traces"],
        ["trace"],
        ["traces", "view", "--last", "0"],
        ["traces", "view", "--json", "--depth", "1"],
    ],
)
def test_wrong_usage_exits_with_2_and_leaves_standard_output_empty(arguments):
    code, out, err = cirron(*arguments)
    assert (code, out) == (2, "")
    assert "Usage: cirron" in err


def test_files_that_cannot_be_read_are_mentioned_and_left_out(two_sessions, spool, damaged_spools):
    name = f"{3:020}-{3:032x}.json"
    (spool / name).write_text('{"schema_version": 1, "spans": [')
    code, out, err = cirron("traces", "view", "--session", "ab")
    assert (code, len(out.splitlines())) == (0, 3)
    assert err.startswith(f"Warning: left out {name}: byte ")


def test_a_killed_session_is_recovered_and_shown(spool):
    ended = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    code, out, err = cirron("traces", "view")
    assert code == 0
    assert re.fullmatch(
        r"Recovered session \w{8} of process \d+, which was killed: 1 closed span, 2 marks\n"
        r"The run ended in epoch\[1\] \(killed\)\n",
        err,
    )
    shape = [re.match(r"([^ ]* *[\w.\[\]]+) ", line)[1] for line in out.splitlines()]
    assert shape == ["cirron.session", "├─ epoch[0]", "└─ epoch[1]"]
    assert "ended: killed" in out.splitlines()[0]
    assert "interrupted  loss 0.5" in out.splitlines()[2]
    assert cirron("traces", "view")[2] == "The run ended in epoch[1] (killed)\n"


def test_a_reader_that_goes_away_ends_the_command_quietly(spool):
    training(3, 500).write(spool)
    with _viewing_json() as process:
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_an_interrupt_exits_with_130_without_a_traceback(spool):
    training(3, 500).write(spool)
    with _viewing_json() as process:
        process.stdout.read(1)  # more than a pipe holds is to come, so the command is busy printing
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert (process.returncode, err.strip()) == (130, b"")


def _viewing_json():
    command = [sys.executable, "-m", "cirron.cli", "traces", "view", "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)


def test_a_terminal_without_blocks_gets_plain_characters(two_sessions):
    code, out, _ = cirron("traces", "view", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert code == 0
    assert out.splitlines()[1] == "`- prepare        10.0 ms  ##########  100 %"


def test_the_width_follows_the_terminal(spool):
    training(3, 20).write(spool)
    _, out, _ = cirron("traces", "view", COLUMNS="50")
    assert max(map(len, out.splitlines())) <= 50


def test_the_console_script_is_the_same_command():
    script = shutil.which("cirron", path=str(Path(sys.executable).parent))
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"cirron {__version__}\n" == cirron("--version")[1]


def test_help_shows_an_example():
    code, out, _ = cirron("--help")
    assert code == 0
    assert "cirron traces view" in out


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["traces list", "traces view", "spool inspect", "config --list"])
def test_a_command_without_standard_streams_does_its_work_in_silence(two_sessions, closed, command):
    line = f'"{sys.executable}" -X dev -m cirron.cli {command} {closed}'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
