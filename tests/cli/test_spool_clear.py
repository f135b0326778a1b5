"""`cirron spool clear`, answered by a person, by a script and by nobody."""

import signal
import struct
import sys
from pathlib import Path

import pytest

import cirron as ci
from faults.launchers import PLACES
from support.commands import cirron, start
from support.spool_files import batch, put

SPOOL = Path(".cirron", "spool")
MEGABYTES = b'{"schema_version": 1, "padding": "' + b" " * 2_632_000 + b'"}'


@pytest.fixture
def spool():
    SPOOL.mkdir(parents=True)
    return SPOOL.absolute()


@pytest.fixture
def three_batches(spool):
    for number in (1, 2):
        put(spool, batch(number))
    put(spool, MEGABYTES, f"{3:020}-{3:032x}.json")
    return spool


def names(spool):
    return sorted(path.name for path in spool.iterdir())


def test_it_says_what_would_go_and_asks_before_it_deletes(three_batches):
    code, out, err = cirron("spool", "clear", stdin="y\n")
    assert (code, out) == (0, "Success: Deleted 3 spool files.\n")
    assert err == f"? Delete 3 spool files (2.51 MB) from {three_batches}? (y/N) \n"
    assert names(three_batches) == []


@pytest.mark.parametrize("answer", ["Y\n", "yes\n", " YES", "y"])
def test_yes_in_any_spelling_deletes(answer, three_batches):
    assert cirron("spool", "clear", stdin=answer).code == 0
    assert names(three_batches) == []


@pytest.mark.parametrize("answer", ["\n", "n\n", "no\n", "yep\n", ""])
def test_anything_else_and_silence_too_deletes_nothing(answer, three_batches):
    code, out, err = cirron("spool", "clear", stdin=answer)
    assert (code, out) == (1, "")
    assert err.endswith("Aborted: nothing was deleted; --force deletes without asking.\n")
    assert len(names(three_batches)) == 3


def test_force_asks_nothing(three_batches):
    assert cirron("spool", "clear", "--force") == (0, "Success: Deleted 3 spool files.\n", "")
    assert names(three_batches) == []


def test_one_file_is_one_file(spool):
    put(spool, b"12345", f"{1:020}-{1:032x}.json")
    code, out, err = cirron("spool", "clear", stdin="y\n")
    assert err.startswith(f"? Delete 1 spool file (5 B) from {spool}? (y/N)")
    assert (code, out) == (0, "Success: Deleted 1 spool file.\n")


def test_dir_names_another_spool(three_batches):
    archived = Path("archive", ".cirron", "spool")
    archived.mkdir(parents=True)
    put(archived, batch(7))
    assert cirron("spool", "clear", "--force", "--dir", archived).out == "Success: Deleted 1 spool file.\n"
    assert (names(archived), len(names(three_batches))) == ([], 3)


def test_an_empty_spool_is_no_failure_and_no_question(spool):
    assert cirron("spool", "clear") == (0, f"No spool files found in {spool}\n", "")


def test_it_needs_neither_a_login_nor_a_config_file(three_batches):
    config = Path.home() / ".cirron" / "config.json"
    config.parent.mkdir()
    config.write_text("{damaged")
    assert cirron("spool", "clear", "--force").code == 0


def test_only_batches_go(three_batches):
    others = ["notes.json", f"{9:020}-{9:032x}.json.tmp", "readme.txt"]
    for name in others:
        (three_batches / name).write_text("{}")
    (three_batches / "rejected").mkdir()
    put(three_batches / "rejected", batch(5))
    code, out, err = cirron("spool", "clear", "--force")
    assert (code, out) == (0, "Success: Deleted 3 spool files.\n")
    assert names(three_batches) == sorted([*others, "rejected"])
    assert f"Left alone: 1 batch that a server rejected, in {three_batches / 'rejected'}\n" in err
    assert len(names(three_batches / "rejected")) == 1


def test_a_batch_that_comes_in_after_the_question_stays(three_batches):
    with start("spool", "clear") as process:
        assert process.stderr.read(8) == "? Delete"
        put(three_batches, batch(4))
        out, _ = process.communicate("y\n")
    assert out == "Success: Deleted 3 spool files.\n"
    assert names(three_batches) == [f"{4:020}-{4:032x}.json"]


def test_a_batch_that_somebody_else_removed_is_no_failure(three_batches):
    with start("spool", "clear") as process:
        assert process.stderr.read(8) == "? Delete"
        (three_batches / f"{2:020}-{2:032x}.json").unlink()
        out, _ = process.communicate("y\n")
    assert (process.returncode, out) == (0, "Success: Deleted 2 spool files.\n")


def test_a_session_that_still_runs_loses_nothing_that_it_has_not_written(profiler):
    ci.mark("before", 1)
    ci.flush()
    assert cirron("spool", "clear", "--force").out == "Success: Deleted 1 spool file.\n"
    assert len(list(Path(".cirron", "journal").glob("*.journal"))) == 1
    ci.mark("after", 2)
    ci.flush()
    assert len(list(SPOOL.glob("*.json"))) == 1


def test_the_number_that_the_sessions_of_a_spool_share_is_counted_anew(three_batches):
    usage = Path(".cirron", "usage")
    used_bytes = sum(path.stat().st_size for path in three_batches.iterdir())
    usage.write_bytes(struct.pack("<8sqq", b"cirron-u", used_bytes, ~used_bytes))
    cirron("spool", "clear", "--force")
    assert usage.read_bytes() == b"\0" * 24


def test_what_cannot_be_deleted_is_counted_and_named(three_batches):
    three_batches.chmod(0o555)
    refused = [sys.executable, str(PLACES / "without_privileges.py")]
    code, out, err = cirron("spool", "clear", "--force", launcher=refused)
    three_batches.chmod(0o755)
    assert (code, out) == (1, "")
    assert err == (
        f"Error: 3 spool files could not be deleted, 0 were: {three_batches / f'{1:020}-{1:032x}.json'}: "
        f"Permission denied; see who may write to {three_batches}\n"
    )


def test_an_interrupt_at_the_question_deletes_nothing(three_batches):
    with start("spool", "clear") as process:
        assert process.stderr.read(8) == "? Delete"
        process.send_signal(signal.SIGINT)
        process.wait()
    assert process.returncode == 130
    assert len(names(three_batches)) == 3


def test_an_answer_that_is_no_text_is_no_yes(three_batches):
    with start("spool", "clear", PYTHONIOENCODING="utf-8:strict") as process:
        process.stdin.buffer.write(b"\xff\xfe\n")
        _, err = process.communicate()
    assert process.returncode == 1
    assert "Aborted" in err
