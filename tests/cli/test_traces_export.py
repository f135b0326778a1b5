"""`cirron traces export` as a user runs it: in a process of its own, over spools on disk."""

import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest

from cirron.cli import main, traces_export
from cirron.export import FORMATS, FileFormat
from support.commands import COMMAND, HUNG_S, cirron, start
from support.recording import Recording, training
from support.spool_files import batch, put, session_span

FILES = [form.name for form in FORMATS.values() if isinstance(form, FileFormat)]
FOLDERS = [name for name in FORMATS if name not in FILES]
SESSION = "5e5e5e5e"
TO_STDOUT = ["traces", "export", "--output", "-", "--format"]

RECORD_AND_WAIT = """
import cirron as ci
ci.profile()
with ci.scope("outer"):
    with ci.scope("inner"):
        pass
    ci.flush()
    print("ready", flush=True)
    input()
"""

KILL_ITSELF = """
import os, signal
import cirron as ci
ci.profile()
with ci.scope("step", 3):
    ci.mark("loss", 0.5)
    os.kill(os.getpid(), signal.SIGKILL)
"""

WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from cirron.cli import main
sys.exit(main(["traces", "export", "--format", "parquet"]))
"""

IMPORTED = """
import sys
from cirron.cli import main
main(["traces", "export", "--help"])
print(*sorted({"httpx", "pandas", "perfetto", "pyarrow", "rich.progress"} & set(sys.modules)), file=sys.stderr)
"""


def export(form, *arguments, **options):
    return cirron("traces", "export", "--format", form, *arguments, **options)


def here():
    """What lies in the current folder beside the spool."""
    return sorted(path.name for path in Path().iterdir() if path.name not in (".cirron", "home"))


@pytest.fixture
def spool():
    """A spool with one small training."""
    spool = Path(".cirron", "spool")
    training(1, 2).write(spool)
    return spool


@pytest.fixture
def long_spool():
    """A spool that takes a while to export."""
    spool = Path(".cirron", "spool")
    for number in range(4):
        training(
            1, 4000, Recording(f"{number:032x}", id_head=number, run_id="r", rank=number, world_size=4)
        ).write(spool, number)
    return spool


class TestWhatIsWritten:
    @pytest.mark.parametrize("form", FORMATS)
    def test_each_format_has_a_name_of_its_own_in_the_current_folder(self, spool, form):
        code, out, err = export(form)
        name = f"cirron-{SESSION}{FORMATS[form].suffix}"
        assert (code, out, here()) == (0, "", [name])
        assert Path(name).is_dir() == (form in FOLDERS)
        assert err.startswith(f"Wrote {name}: 11 spans, ")
        assert err.endswith(f"; {FORMATS[form].next_step}\n")

    @pytest.mark.parametrize("form", FORMATS)
    def test_the_user_may_name_it(self, spool, form):
        Path("out").mkdir()
        assert export(form, "--output", "out/there").code == 0
        assert [path.name for path in Path("out").iterdir()] == ["there"]

    @pytest.mark.parametrize("form", FILES)
    def test_a_file_may_go_to_standard_output(self, spool, form):
        with subprocess.Popen([*COMMAND, *TO_STDOUT, form], stdout=-1, stderr=-1) as process:
            out, err = process.communicate()
        assert process.returncode == 0
        assert err.startswith(b"Wrote 11 spans")
        assert export(form).code == 0
        if form != "html":  # it tells when it was made
            assert out == Path(f"cirron-{SESSION}{FORMATS[form].suffix}").read_bytes()

    def test_new_files_can_be_read_by_whom_the_umask_lets(self, spool):
        launcher = ["sh", "-c", 'umask 027; exec "$@"', "sh"]
        assert export("json", "--output", "f", launcher=launcher).code == 0
        assert export("csv", "--output", "d", launcher=launcher).code == 0
        assert [oct(Path(name).stat().st_mode & 0o777) for name in ("f", "d")] == ["0o640", "0o750"]

    def test_a_device_is_written_to_and_not_replaced(self, spool):
        assert export("json", "--output", "/dev/null").code == 0
        assert Path("/dev/null").is_char_device()

    def test_a_link_to_a_file_stays_a_link(self, spool):
        Path("link").symlink_to("real")
        assert export("json", "--output", "link").code == 0
        assert Path("link").is_symlink()
        assert len(json.loads(Path("real").read_bytes())["spans"]) == 11

    def test_a_name_as_long_as_the_system_allows_is_taken(self, spool):
        assert export("json", "--output", "x" * 255).code == 0
        assert here() == ["x" * 255]

    def test_it_is_said_what_was_written(self, spool):
        _, _, err = export("json")
        name = f"cirron-{SESSION}.json"
        kilobytes = Path(name).stat().st_size / 1000
        assert err == f"Wrote {name}: 11 spans, 5 marks, {kilobytes:.2f} KB; read it with any JSON parser\n"


class TestWhichSessions:
    def test_by_default_the_newest_run_with_all_its_ranks(self, spool):
        for rank in range(2):
            recording = Recording(f"a{rank}" * 16, id_head=rank + 1, rank=rank, world_size=2, run_id="r")
            recording.session(1000, 1010, rank=rank)
            recording.write(spool, 10 + rank)
        assert export("json", "--output", "out").code == 0
        document = json.loads(Path("out").read_bytes())
        assert [session["session_id"] for session in document["sessions"]] == ["a0" * 16, "a1" * 16]

    def test_a_session_may_be_named_by_a_prefix(self, spool):
        recording = Recording("ab" * 16, id_head=9)
        recording.session(1000, 1010)
        recording.write(spool, 10)
        assert export("json", "--session", "5E").code == 0
        assert here() == [f"cirron-{SESSION}.json"]

    def test_a_spool_elsewhere_may_be_named(self, spool):
        Path(".cirron").rename("elsewhere")
        assert export("json", "--spool", "elsewhere").code == 0

    def test_an_empty_session_is_exported(self):
        recording = Recording()
        recording.session(0, 1)
        recording.write(Path(".cirron/spool"))
        assert [export(form).code for form in FORMATS] == [0] * len(FORMATS)

    def test_a_killed_session_is_recovered_first(self):
        subprocess.run([sys.executable, "-c", KILL_ITSELF])
        code, _, err = export("csv", "--output", "out")
        assert code == 0
        assert err.startswith("Recovered session ")
        with Path("out/spans.csv").open(newline="") as file:
            spans = [(span["name"], span["index"], span["state"]) for span in csv.DictReader(file)]
        assert sorted(spans) == [("cirron.session", "", "interrupted"), ("step", "3", "interrupted")]

    @pytest.mark.parametrize("form", FORMATS)
    def test_a_session_that_goes_on_is_exported_with_what_is_open(self, form):
        with subprocess.Popen(
            [sys.executable, "-c", RECORD_AND_WAIT], stdin=-1, stdout=-1, text=True
        ) as process:
            process.stdout.readline()
            code, _, err = export(form, "--output", "out")
            csv_code = export("csv", "--output", "tables").code
            process.communicate("\n")
        assert (code, csv_code, err[:10]) == (0, 0, "Wrote out:")
        with Path("tables/spans.csv").open(newline="") as file:
            states = {span["name"]: span["state"] for span in csv.DictReader(file)}
        assert states == {"inner": "closed", "outer": "open", "cirron.session": "open"}


class TestWhatStandsInTheWay:
    @pytest.mark.parametrize("form", FORMATS)
    def test_what_is_there_stays_unless_forced(self, spool, form):
        assert export(form, "--output", "out").code == 0
        before = _content(Path("out"))
        code, _, err = export(form, "--output", "out")
        assert (code, _content(Path("out"))) == (1, before)
        assert err == "Error: out is there already: replace it with --force, or name another with --output\n"
        training(2, 2).write(spool)
        assert export(form, "--output", "out", "--force").code == 0
        assert _content(Path("out")) != before
        assert here() == ["out"]

    def test_other_files_in_a_folder_stay_when_its_tables_are_replaced(self, spool):
        Path("out").mkdir()
        Path("out/notes.txt").write_text("mine")
        assert export("csv", "--output", "out").code == 1
        assert export("csv", "--output", "out", "--force").code == 0
        assert Path("out/notes.txt").read_text() == "mine"
        assert len(list(Path("out").iterdir())) == 5

    def test_an_empty_folder_is_filled(self, spool):
        Path("out").mkdir()
        assert export("csv", "--output", "out").code == 0
        assert here() == ["out"]

    @pytest.mark.parametrize(
        ("form", "output", "reason"),
        [
            ("json", "folder", "folder is a folder, and this format writes a file: name the file in it"),
            ("csv", "file", "file is a file, and this format writes a folder: name another with --output"),
            ("json", "no/where", "cannot write no/where: there is no such folder"),
            ("csv", "no/where", "cannot write no/where: there is no such folder"),
            ("json", "file/x", "cannot write file/x: there is no such folder"),
            ("json", "y" * 256, f"cannot write {'y' * 256}: File name too long"),
            ("json", "/proc/x", "cannot write /proc/x: No such file or directory"),
        ],
    )
    def test_what_cannot_be_written_says_why(self, spool, form, output, reason):
        Path("folder").mkdir()
        Path("file").touch()
        code, out, err = export(form, "--output", output, "--force")
        assert (code, out, here()) == (1, "", ["file", "folder"])
        assert err.startswith(f"Error: {reason}")

    @pytest.mark.parametrize("form", FORMATS)
    def test_a_full_disk_leaves_nothing_half(self, long_spool, form):
        launcher = ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh"]  # no file has more than 512 bytes, or 1024
        code, out, err = export(form, "--output", "out", launcher=launcher)
        assert (code, out, here()) == (1, "", [])
        assert (
            err == "Error: cannot write out: File too large; make room or name another place with --output\n"
        )

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("form", FORMATS)
    def test_an_interrupt_leaves_nothing_half(self, long_spool, form, number):
        with start("traces", "export", "--format", form) as process:
            deadline_s = time.monotonic() + HUNG_S
            while not here() and process.poll() is None and time.monotonic() < deadline_s:
                time.sleep(0.001)  # until it has begun to write
            process.send_signal(number)
            out, err = process.communicate()
        assert (process.returncode, out, err.strip()) == (130 if number == signal.SIGINT else 143, "", "")
        assert here() == []

    def test_a_reader_that_goes_away_ends_the_command_quietly(self, long_spool):
        with start("traces", "export", "--format", "json", "--output", "-") as process:
            process.stdout.read(1)
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == 1

    def test_a_full_device_behind_standard_output_is_told(self, spool):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run([*COMMAND, *TO_STDOUT, "json"], stdout=full, stderr=-1)
        assert done.returncode == 1
        assert done.stderr.startswith(b"Error: cannot write standard output: No space left on device")

    def test_what_is_left_out_is_mentioned(self, spool):
        put(spool, b'{"schema_version": 1', "0" * 20 + "-" + "a" * 32 + ".json")
        put(spool, batch(9, spans=[session_span(start_ns="x")]))
        code, _, err = export("json")
        assert code == 0
        assert [line[: line.index(".json")] for line in err.splitlines()] == [
            f"Warning: left out {'0' * 20}-{'a' * 32}",
            f"Warning: left out {9:020}-{9:032x}",
            f"Wrote cirron-{SESSION}",
        ]

    def test_a_journal_that_cannot_be_read_is_mentioned(self, spool):
        with subprocess.Popen(
            [sys.executable, "-c", RECORD_AND_WAIT], stdin=-1, stdout=-1, text=True
        ) as process:
            process.stdout.readline()
            (journal,) = Path(".cirron/journal").glob("*.journal")
            content = journal.read_bytes()
            other = journal.with_suffix(".kept")
            journal.rename(other)
            journal.write_bytes(b"garbage!" + content[8:])
            code, _, err = export("json")
            other.replace(journal)
            process.communicate("\n")
        assert code == 0
        assert "Warning: left out " in err

    def test_control_characters_of_a_path_do_not_reach_the_terminal(self, spool):
        _, _, err = export("json", "--output", "a\x1b[31mb")
        assert err.startswith("Wrote a\\x1b[31mb: ")


class TestUsage:
    def test_an_unknown_format_lists_those_there_are(self, spool):
        code, out, err = export("xml")
        assert (code, out, here()) == (2, "", [])
        assert all(f"'{name}'" in err for name in FORMATS)

    def test_a_missing_format_lists_them_too(self, spool):
        code, out, err = cirron("traces", "export")
        assert (code, out, here()) == (2, "", [])
        assert all(name in err for name in FORMATS)

    @pytest.mark.parametrize("form", FOLDERS)
    def test_a_folder_does_not_go_to_standard_output(self, spool, form):
        code, out, err = export(form, "--output", "-")
        assert (code, out) == (2, "")
        assert f"{form} is a folder of files" in err

    def test_bytes_do_not_go_to_a_terminal(self, spool):
        ours, theirs = pty.openpty()
        command = [*COMMAND, *TO_STDOUT, "perfetto"]
        done = subprocess.run(command, stdout=theirs, stderr=-1)
        os.close(theirs)
        os.close(ours)
        assert done.returncode == 2
        assert b"perfetto is not for a terminal" in done.stderr

    def test_an_empty_name_is_wrong_usage(self, spool):
        assert export("json", "--output", "").code == 2

    def test_the_help_says_what_each_format_is(self):
        code, out, _ = cirron("traces", "export", "--help")
        assert code == 0
        for form in FORMATS.values():
            assert f"{form.name} " in out
            assert form.summary in out
        assert "cirron traces export --format perfetto" in out

    def test_the_help_imports_nothing_heavy(self):
        done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True)
        assert done.stderr == "\n"

    def test_without_pyarrow_the_extra_is_named(self, spool):
        done = subprocess.run([sys.executable, "-c", WITHOUT_PYARROW], capture_output=True, text=True)
        assert (done.returncode, here()) == (1, [])
        assert 'pip install "cirron[parquet]"' in done.stderr

    def test_a_spool_without_sessions_tells_how_to_record_one(self):
        Path(".cirron/spool").mkdir(parents=True)
        code, _, err = export("json")
        assert (code, here()) == (1, [])
        assert err.startswith("Error: nothing is recorded in .cirron")


class TestProgress:
    @pytest.mark.parametrize("no_color", ["", "1"])
    def test_a_long_export_shows_a_bar_on_a_terminal_that_wants_one(self, spool, monkeypatch, no_color):
        class Terminal(StringIO):
            def isatty(self):
                return True

        monkeypatch.setattr(traces_export, "PROGRESS_FROM", 0)
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setenv("NO_COLOR", no_color)
        monkeypatch.setenv("TERM", "xterm")
        assert main(["traces", "export", "--format", "json"]) == 0
        assert ("exporting" in sys.stderr.getvalue()) == (not no_color)
        assert sys.stderr.getvalue().endswith("read it with any JSON parser\n")


def _content(path):
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [(file.name, file.read_bytes()) for file in files]
