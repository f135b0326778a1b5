"""What a person in front of a terminal sees: commands run under a real one, at several sizes and of several kinds."""

# ruff: noqa: RUF001 - a multiplication sign is meant

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len

from support.commands import COMMAND, HUNG_S, cirron
from support.recording import Recording, training
from support.spool_files import batch, put

SPOOL = Path(".cirron", "spool")
STYLE = re.compile(r"\x1b\[[0-9;]*m")
CTRL_C = "\x03"
LEAVE_THE_OTHER_SCREEN = "\x1b[?1049l"
HIDE_THE_CURSOR, SHOW_THE_CURSOR = "\x1b[?25l", "\x1b[?25h"
LONG_NAME = "a name much too long for any column that one would like to read " * 3

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


class Terminal:
    """A command in a terminal of its own; for a `with`, which ends the command if it still runs.

    Attributes:
        text: all that the terminal was sent so far, lines ending in a newline.
        code: the exit code, once `wait` has returned.
    """

    def __init__(self, *arguments, columns=100, lines=40, messages=True, **environ):
        self.text, self.code = "", None
        self._ours, theirs = pty.openpty()
        self.resize(columns, lines)
        plain = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self._process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs if messages else subprocess.DEVNULL,
            env=plain | {"TERM": "xterm-256color", "PYTHONUTF8": "1"} | environ,
            start_new_session=True,
            # Only a controlling terminal's Ctrl-C reaches the command, and nothing else can make it one.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def resize(self, columns, lines):
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys):
        os.write(self._ours, keys.encode())

    def terminate(self):
        self._process.terminate()

    def wait_for(self, pattern, count=1):
        """Read until the pattern was met so often."""
        while len(re.findall(pattern, self.text)) < count:
            assert self._read(), f"{pattern!r} never came: {self.text!r}"

    def wait(self):
        """Read to the end of the command; returns the terminal."""
        while self._read():
            pass
        self.code = self._process.wait(HUNG_S)
        return self

    def _read(self):
        """Take what there is; False when the command has closed the terminal."""
        ready, _, _ = select.select([self._ours], [], [], HUNG_S)
        assert ready, f"the command hangs: {self.text!r}"
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # how Linux says that nobody is at the other end
            return False
        self.text += data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        return bool(data)


def shown(*arguments, **options):
    """The end of a command that was run in a terminal."""
    with Terminal(*arguments, **options) as terminal:
        return terminal.wait()


def plain_lines(text):
    return [STYLE.sub("", line).rstrip() for line in text.splitlines()]


def labels(lines):
    """The names with their indices, and how deep they stand."""
    return [re.match(r"[^\w]*[\w.]+(\[\d+\])?", line)[0] for line in lines if line]


def widths(text):
    return {cell_len(STYLE.sub("", line)) for line in text.splitlines()}


@pytest.fixture
def run():
    """A session with a bit of everything that takes room."""
    run = training(3, 20)
    run.span(LONG_NAME, 0, 100, attrs={"error": "ValueError", "note": "v" * 300})
    run.span("データ読み込み" * 10, 100, 200, index=3)
    run.span("📦 unpack", 200, 210)
    parent = run.session_id
    for level in range(40):
        parent = run.span(f"level_{level}", 300 + level, 400 - level, parent=parent)
    run.write(SPOOL)
    return run


@pytest.fixture
def program():
    """A run that goes on until it is told to end, once it is in its first epoch."""
    with subprocess.Popen(
        [sys.executable, "-c", LIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as program:
        program.stdout.readline()
        yield program
        if program.poll() is None:
            program.communicate("\n\n")


# ---- colours ----


@pytest.mark.parametrize("command", [["traces", "view"], ["traces", "diff", "5e", "5e"]])
def test_a_terminal_gets_colours(run, command):
    terminal = shown(*command)
    assert terminal.code == 0
    assert STYLE.search(terminal.text)


@pytest.mark.parametrize(
    ("options", "environ"), [([], {"NO_COLOR": "1"}), (["--no-color"], {}), ([], {"TERM": "dumb"})]
)
def test_a_terminal_without_colours_gets_plain_text(run, options, environ):
    terminal = shown("traces", "view", *options, **environ)
    assert terminal.code == 0
    assert "├─ epoch[0]" in terminal.text
    assert "\x1b" not in terminal.text


def test_where_most_of_the_time_went_is_red_and_said_below(run):
    lines = shown("traces", "view").text.splitlines()
    red = plain_lines("\n".join(line for line in lines if re.search("\x1b\\[31m  █", line)))
    assert [label.split()[-1] for label in labels(red)] == ["backward"] * 3
    assert plain_lines(lines[-1]) == ["31 % of the time (263 ms) is in epoch / step / backward itself"]


def test_nothing_recorded_reaches_the_terminal_as_a_command():
    run = Recording()
    span = run.span("bell\x07 \x1b]0;title\x07 \x1b[2J\nline\u202e", 0, 5, attrs={"k\x1b[31m": "v\r\x08"})
    run.mark(span, "m\x9b2J", "\x1b[?1049h")
    run.session(0, 10, attrs={"cirron.ended": "exception: E\x1b[2J"})
    run.write(SPOOL)
    for command in (["view"], ["view", "--flat"], ["list"]):
        text = STYLE.sub("", shown("traces", *command).text)
        assert all(character.isprintable() or character == "\n" for character in text), command


# ---- width ----


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
@pytest.mark.parametrize("command", [["view"], ["view", "--flat"], ["view", "--last", "5"], ["list"]])
def test_no_line_is_wider_than_the_terminal(run, command, columns):
    Recording("ab" * 16, id_head=2, rank=3, world_size=8, worker="1").write(SPOOL, 2)
    session = ["--session", "5e"] if command[0] == "view" else []
    terminal = shown("traces", *command, *session, columns=columns, messages=False)
    assert terminal.code == 0
    assert 0 < max(widths(terminal.text)) <= columns


def test_a_narrow_table_keeps_the_innermost_scope_and_its_own_time(run):
    lines = plain_lines(shown("traces", "view", "--flat", columns=40, messages=False).text)
    assert lines[0].split() == ["scope", "total", "self", "share"]
    assert re.fullmatch(r"epoc…/ backward +360 ms +360 ms +31 %", lines[1])


def test_names_that_are_cut_keep_their_count(run):
    lines = plain_lines(shown("traces", "view", columns=40, messages=False).text)
    assert "│  │  ├─ data_l… ×20" in [line[:20] for line in lines]


def test_a_pipe_gets_names_and_values_in_full(run):
    code, out, _ = cirron("traces", "view")
    assert code == 0
    assert LONG_NAME in out
    assert "v" * 300 in out
    assert "\x1b" not in out
    assert not re.search(r"…|  \+\d+$", out, re.MULTILINE)


def test_a_piped_table_gets_all_columns_and_whole_paths(run):
    code, out, _ = cirron("traces", "view", "--flat")
    assert code == 0
    assert " / ".join(f"level_{level}" for level in range(40)) in out
    assert out.split("\n")[0].split()[1:] == ["count", "total", "self", "mean", "p50", "p95", "p99", "share"]


# ---- other kinds of terminals ----


@pytest.mark.parametrize("command", [["traces", "view"], ["traces", "view", "--flat"], ["spool", "inspect"]])
def test_a_terminal_that_knows_ascii_only_gets_nothing_else(run, command):
    terminal = shown(*command, PYTHONUTF8="0", LC_ALL="POSIX", PYTHONCOERCECLOCALE="0")
    assert terminal.code == 0
    assert terminal.text.isascii()


def test_the_tree_stays_a_tree_in_ascii(run):
    lines = plain_lines(shown("traces", "view", PYTHONIOENCODING="ascii", PYTHONUTF8="0", NO_COLOR="1").text)
    assert labels(lines[2:6]) == ["|- epoch[0]", "|  |- step", "|  |  |- data_load", "|  |  |- forward"]


@pytest.mark.parametrize("command", [["view"], ["view", "--flat"]])
def test_names_that_ascii_cannot_spell_are_measured_as_they_are_shown(run, command):
    terminal = shown("traces", *command, columns=80, messages=False, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert r"\u30c7" in terminal.text
    assert max(widths(terminal.text)) <= 80


# ---- a run that goes on ----


def test_following_draws_again_and_again_and_ends_with_the_final_picture(program):
    with Terminal("traces", "view", "--follow", NO_COLOR="1") as terminal:
        terminal.wait_for("Ctrl-C stops", count=2)
        program.communicate("\n\n")
        terminal.wait()
    last = plain_lines(terminal.text.rpartition(LEAVE_THE_OTHER_SCREEN)[2])
    assert terminal.code == 0
    assert labels(last[:-1]) == [
        "cirron.session", "└─ fit", "   ├─ epoch[0]", "   │  └─ forward", "   └─ epoch[1]", "      └─ forward",
    ]  # fmt: skip
    assert "still open" not in "".join(last)


def test_who_stops_following_keeps_the_last_picture_and_the_run_goes_on(program):
    with Terminal("traces", "view", "--follow", NO_COLOR="1") as terminal:
        terminal.wait_for("Ctrl-C stops")
        terminal.type(CTRL_C)
        terminal.wait()
    last = plain_lines(terminal.text.rpartition(LEAVE_THE_OTHER_SCREEN)[2])
    assert terminal.code == 130
    assert "Traceback" not in terminal.text
    assert labels(last) == ["cirron.session", "└─ fit", "   └─ epoch[0]", "      └─ forward"]
    assert program.poll() is None


def test_a_follower_that_is_terminated_leaves_the_terminal_as_it_was(program):
    with Terminal("traces", "view", "--follow") as terminal:
        terminal.wait_for("Ctrl-C stops")
        terminal.terminate()
        terminal.wait()
    assert terminal.code == 130
    assert terminal.text.count(LEAVE_THE_OTHER_SCREEN) == 1
    assert terminal.text.rindex(SHOW_THE_CURSOR) > terminal.text.rindex(HIDE_THE_CURSOR)


def test_a_terminal_that_becomes_smaller_is_drawn_to_its_new_size(program):
    with Terminal("traces", "view", "--follow", columns=120, NO_COLOR="1") as terminal:
        terminal.wait_for("Ctrl-C stops")
        terminal.resize(columns=50, lines=5)
        terminal.wait_for("… [0-9] more lines")
        terminal.type(CTRL_C)
        terminal.wait()
    drawn = terminal.text.rpartition("\x1b[H")[2].partition(LEAVE_THE_OTHER_SCREEN)[0]
    smaller = re.sub(r"\^C|\x1b\[\?25h", "", drawn)  # the keys' echo, and the cursor's return
    assert max(widths(smaller)) <= 50


def test_following_in_ascii_draws_plain_lines(program):
    with Terminal("traces", "view", "--follow", PYTHONIOENCODING="ascii", PYTHONUTF8="0") as terminal:
        terminal.wait_for("Ctrl-C stops")
        terminal.type(CTRL_C)
        terminal.wait()
    assert terminal.text.isascii()
    assert "\\u" not in terminal.text


def test_a_dumb_terminal_gets_the_final_picture_only(program):
    with Terminal("traces", "view", "--follow", TERM="dumb") as terminal:
        program.communicate("\n\n")
        terminal.wait()
    assert terminal.code == 0
    assert "\x1b" not in terminal.text
    assert plain_lines(terminal.text)[0].startswith("cirron.session")


# ---- progress and interruption ----


def flush(**options):
    SPOOL.mkdir(parents=True, exist_ok=True)
    for number in range(1, 4):
        put(SPOOL, batch(number, session_id="0f" * 16))
    return shown("spool", "flush", **options)


def test_an_upload_shows_its_progress_to_who_watches(platform):
    platform.sign_in()
    terminal = flush()
    assert terminal.code == 0
    assert "Uploading" in terminal.text
    assert plain_lines(terminal.text)[-1].endswith("Uploaded: 3  Failed: 0  Skipped: 0")


def test_an_upload_that_nobody_watches_shows_no_progress(platform):
    platform.sign_in()
    flush(messages=False)
    put(SPOOL, batch(4, session_id="0f" * 16))
    code, out, err = cirron("spool", "flush")
    assert (code, out, err) == (0, "Uploaded: 1  Failed: 0  Skipped: 0\n", "")


def test_ctrl_c_in_the_middle_of_a_long_listing_ends_it_without_a_traceback():
    training(3, 500).write(SPOOL)
    with Terminal("traces", "view", "--json") as terminal:
        terminal.wait_for("cirron.session")  # more than a terminal holds is to come
        terminal.type(CTRL_C)
        terminal.wait()
    assert terminal.code == 130
    assert "Traceback" not in terminal.text
