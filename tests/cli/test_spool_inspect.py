"""`cirron spool inspect`, over spools that sessions and others wrote."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cirron.cli.spool_folder import size_text
from faults.launchers import PLACES
from support.commands import cirron

SPOOL = Path(".cirron", "spool")
FIRST = "01776486598051509000-446a507b2456443f923f85774a0854e3.json"
SECOND = "01776486598073663000-b38212eb3835460ab6f2345a7ee3fd4c.json"
THIRD = "01776486601204118000-ff11aa22cc334455667788999aabbccd.json"

KILLED = """
import os, signal
import cirron as ci
ci.profile()
with ci.scope("step"):
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""


def fill(spool, **sizes_bytes):
    """Files of nothing in particular under the names of batches, the newest written first."""
    spool.mkdir(parents=True, exist_ok=True)
    names = {"first": FIRST, "second": SECOND, "third": THIRD}
    for which, size_bytes in reversed(sizes_bytes.items()):
        (spool / names[which]).write_bytes(b"\0" * size_bytes)


@pytest.fixture
def three_batches():
    fill(SPOOL, first=2_621_440, second=6_200, third=9_400)
    return SPOOL.absolute()


def test_lists_every_batch_with_its_time_and_size_a_summary_above_and_the_oldest_and_newest_below(
    three_batches,
):
    assert cirron("spool", "inspect") == (
        0,
        f"""\
Spool: {three_batches}  (3 files, 2.51 MB)
┌──────────────────────────┬─────────┬────────────────────────────────────────────────────────────┐
│ Timestamp                │    Size │ File                                                       │
├──────────────────────────┼─────────┼────────────────────────────────────────────────────────────┤
│ 2026-04-18T04:29:58.051Z │ 2.50 MB │ 01776486598051509000-446a507b2456443f923f85774a0854e3.json │
│ 2026-04-18T04:29:58.073Z │    6 KB │ 01776486598073663000-b38212eb3835460ab6f2345a7ee3fd4c.json │
│ 2026-04-18T04:30:01.204Z │    9 KB │ 01776486601204118000-ff11aa22cc334455667788999aabbccd.json │
└──────────────────────────┴─────────┴────────────────────────────────────────────────────────────┘
Oldest: 2026-04-18T04:29:58.051Z   Newest: 2026-04-18T04:30:01.204Z
""",
        "",
    )


def test_json_names_the_folder_the_total_and_each_batch():
    fill(SPOOL, first=2_633_103, second=444)
    code, out, err = cirron("spool", "inspect", "--json")
    first = {"name": FIRST, "createdNs": "1776486598051509000", "iso": "2026-04-18T04:29:58.051Z"}
    second = {"name": SECOND, "createdNs": "1776486598073663000", "iso": "2026-04-18T04:29:58.073Z"}
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "dir": str(SPOOL.absolute()),
        "files": 2,
        "totalBytes": 2_633_547,
        "oldest": first,
        "newest": second,
        "entries": [first | {"size": 2_633_103}, second | {"size": 444}],
    }
    assert list(json.loads(out)) == ["dir", "files", "totalBytes", "oldest", "newest", "entries"]
    assert list(json.loads(out)["entries"][0]) == ["name", "size", "createdNs", "iso"]


def test_json_has_an_entry_a_line(three_batches):
    lines = cirron("spool", "inspect", "--json").out.splitlines()
    assert sum('"size"' in line for line in lines) == 3


def test_an_empty_spool_is_no_failure():
    SPOOL.mkdir(parents=True)
    assert cirron("spool", "inspect") == (0, f"No spool files found in {SPOOL.absolute()}\n", "")


def test_where_nothing_was_ever_recorded_the_default_spool_is_empty():
    assert cirron("spool", "inspect") == (0, f"No spool files found in {SPOOL.absolute()}\n", "")
    assert not SPOOL.parent.exists()


def test_an_empty_spool_has_neither_oldest_nor_newest_in_json():
    assert json.loads(cirron("spool", "inspect", "--json").out) == {
        "dir": str(SPOOL.absolute()),
        "files": 0,
        "totalBytes": 0,
        "oldest": None,
        "newest": None,
        "entries": [],
    }


@pytest.mark.parametrize("given", ["run-42/.cirron/spool", "run-42/.cirron", "run-42"])
def test_dir_names_another_spool_or_a_folder_around_it(given, three_batches):
    fill(Path("run-42") / SPOOL, second=444)
    out = cirron("spool", "inspect", "--dir", given).out
    assert out.splitlines()[0] == f"Spool: {Path('run-42').absolute() / SPOOL}  (1 file, 444 B)"


def test_a_spool_that_was_taken_out_of_its_folder_is_one_too():
    fill(Path("saved"), first=1, third=1)
    assert "(2 files, 2 B)" in cirron("spool", "inspect", "--dir", "saved").out


def test_a_way_through_a_link_and_back_is_followed_as_the_system_does():
    fill(Path("elsewhere") / SPOOL, first=1)
    Path("elsewhere", "deep").mkdir()
    Path("link").symlink_to("elsewhere/deep")
    out = cirron("spool", "inspect", "--dir", "link/../.cirron/spool").out
    assert out.startswith(f"Spool: {Path('elsewhere').absolute() / SPOOL}  (1 file")


@pytest.mark.parametrize(("given", "cause"), [("nowhere", "does not exist"), ("a-file", "it is a file")])
def test_a_folder_that_was_named_has_to_be_there(given, cause):
    Path("a-file").touch()
    code, out, err = cirron("spool", "inspect", "--dir", given)
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: no spool at {given}: ")
    assert cause in err


def test_batches_are_listed_without_a_look_into_them(three_batches):
    for path in three_batches.iterdir():
        path.chmod(0)
    refused = [sys.executable, str(PLACES / "without_privileges.py")]
    code, out, err = cirron("spool", "inspect", launcher=refused)
    assert (code, err, len(out.splitlines())) == (0, "", 9)


def test_it_needs_neither_a_login_nor_a_config_file(three_batches):
    config = Path(os.environ["HOME"], ".cirron", "config.json")
    config.parent.mkdir()
    config.write_text("{damaged")
    assert cirron("spool", "inspect").code == 0


def test_what_is_no_batch_is_mentioned_and_not_counted(three_batches):
    (three_batches / "notes.json").write_text("{}")
    (three_batches / FIRST.upper()).write_text("{}")
    (three_batches / THIRD.replace("0177", "0188")).mkdir()
    (three_batches / f"{THIRD}.tmp").write_text("{")
    (three_batches / "rejected").mkdir()
    (three_batches / "rejected" / THIRD).write_text("{}")
    code, out, err = cirron("spool", "inspect")
    assert code == 0
    assert "(3 files, 2.51 MB)" in out
    assert sorted(err.splitlines()) == [
        f"Warning: left out {THIRD.replace('0177', '0188')}: not a regular file",
        "Warning: left out notes.json: not named <20 digits>-<32 hex digits>.json",
    ]


def test_the_journal_of_a_killed_session_is_sealed_first_and_that_is_said():
    killed = subprocess.run([sys.executable, "-c", KILLED], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    code, out, err = cirron("spool", "inspect")
    assert (code, out.splitlines()[0].partition("  (")[2][:7]) == (0, "1 file,")
    assert err.startswith("Recovered session ")
    assert cirron("spool", "inspect") == (0, out, "")


def test_the_table_grows_with_what_is_in_it_and_not_with_the_terminal():
    fill(SPOOL, first=1, second=0)
    lines = cirron("spool", "inspect", COLUMNS="40").out.splitlines()
    assert lines[4] == f"│ 2026-04-18T04:29:58.051Z │  1 B │ {FIRST} │"
    assert len({len(line) for line in lines[1:-1]}) == 1


def test_a_terminal_without_line_drawing_gets_plain_characters(three_batches):
    lines = cirron("spool", "inspect", PYTHONUTF8="0", PYTHONIOENCODING="ascii").out.splitlines()
    assert lines[1] == f"+{'-' * 26}+{'-' * 9}+{'-' * 60}+"
    assert lines[4] == f"| 2026-04-18T04:29:58.051Z | 2.50 MB | {FIRST} |"


def test_a_folder_whose_name_would_move_the_cursor_is_spelled_out():
    hostile = Path("run\x1b[2J")
    fill(hostile, first=1)
    assert "\x1b" not in cirron("spool", "inspect", "--dir", hostile).out
    assert json.loads(cirron("spool", "inspect", "--dir", hostile, "--json").out)["dir"].endswith(
        "run\x1b[2J"
    )


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KB"),
        (6_656, "6 KB"),
        (1024**2 - 513, "1023 KB"),
        (1024**2 - 512, "1.00 MB"),
        (2_633_547, "2.51 MB"),
        (1024**3 - 6_000, "1023.99 MB"),
        (1024**3 - 5_000, "1.00 GB"),
        (5 * 1024**4, "5120.00 GB"),
    ],
)
def test_sizes_are_in_powers_of_1024(size_bytes, text):
    assert size_text(size_bytes) == text


@pytest.mark.parametrize("command", [[], ["inspect"], ["flush"], ["clear"]])
def test_each_help_shows_an_example(command):
    code, out, _ = cirron("spool", *command, "--help")
    assert code == 0
    assert "Example:" in out
    assert "cirron spool" in out.partition("Example:")[2]


@pytest.mark.parametrize(
    "arguments", [["inspct"], ["inspect", "--force"], ["inspect", "extra"], ["flush", "--json"]]
)
def test_wrong_usage_exits_with_2(arguments):
    code, out, err = cirron("spool", *arguments)
    assert (code, out) == (2, "")
    assert "Usage: cirron spool" in err
