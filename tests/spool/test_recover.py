"""What a killed process left in its journal is sealed by whoever opens the directory next, once."""

import subprocess
import sys
from pathlib import Path

import pytest

from cirron._recorder.native import Recorder
from cirron.spool import Problem, read, seal_dead_journals, sessions
from support.spool_checks import assert_valid_spool

RECORD_AND_DIE = """
import os, signal, sys
from cirron._recorder.native import Recorder
recorder = Recorder(spool_dir=sys.argv[1], journal_dir=sys.argv[2], batch_fields=b'"sdk_version":"1.0.0"')
with recorder.scope("warm-up"):
    pass
open_scope = recorder.scope("step", 3)
open_scope.__enter__()
recorder.mark("loss", 0.5)
os.kill(os.getpid(), signal.SIGKILL)
"""

SEAL = "import sys; from cirron.spool import seal_dead_journals; print(len(seal_dead_journals(sys.argv[1])))"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A `.cirron` directory in which nothing was recorded."""
    root = tmp_path / ".cirron"
    (root / "journal").mkdir(parents=True)
    (root / "spool").mkdir()
    return root


def record_and_die(root: Path) -> None:
    paths = [root / "spool", root / "journal"]
    died = subprocess.run([sys.executable, "-c", RECORD_AND_DIE, *paths], capture_output=True, text=True)
    assert died.returncode == -9, died.stderr


def picture(root: Path) -> list[str]:
    return [
        f"{span.name} {'interrupted' if span.attrs.get('cirron.interrupted') else 'closed'}"
        for batch in read(root).batches()
        for span in batch.spans
    ]


def test_the_records_of_a_killed_process_can_be_read(root):
    record_and_die(root)
    assert picture(root) == []
    (recovered,) = seal_dead_journals(root)
    assert sorted(picture(root)) == ["cirron.session interrupted", "step interrupted", "warm-up closed"]
    assert [mark.value for batch in read(root).batches() for mark in batch.marks if mark.name == "loss"] == [
        0.5
    ]
    assert [(found.id, found.ended) for found in sessions(root)] == [(recovered.session_id, "killed")]
    assert list((root / "journal").iterdir()) == []
    assert_valid_spool(root)


def test_sealing_again_finds_nothing(root):
    record_and_die(root)
    seal_dead_journals(root)
    before = picture(root)
    assert (seal_dead_journals(root), picture(root)) == ([], before)


def test_of_many_who_seal_at_once_one_does(root):
    record_and_die(root)
    command = [sys.executable, "-c", SEAL, root]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    counts = [int(racer.communicate()[0]) for racer in racers]
    assert sorted(counts) == [0, 0, 0, 1]
    assert len(picture(root)) == 3


def test_the_journal_of_a_live_process_is_left_alone(root):
    folders = {"spool_dir": str(root / "spool"), "journal_dir": str(root / "journal")}
    recorder = Recorder(**folders, batch_fields=b'"sdk_version":"1.0.0"')
    try:
        assert seal_dead_journals(root) == []
        assert Path(recorder.journal_path).exists()
    finally:
        recorder.close("completed")


def test_what_is_no_journal_is_reported_and_stays(root):
    journal = root / "journal" / "notes.journal"
    journal.write_text("not a journal " * 1000)
    record_and_die(root)
    recovered, problem = seal_dead_journals(root)
    assert (recovered.spans, problem.path, problem.kind) == (1, journal, "journal")
    assert problem.reason.endswith("; open it with the release that wrote it, or delete it")
    assert journal.exists()


def test_a_spool_that_cannot_be_written_is_reported_and_the_journal_stays(root):
    record_and_die(root)
    (root / "spool").rmdir()
    (root / "spool").touch()
    (problem,) = seal_dead_journals(root)
    assert isinstance(problem, Problem)
    assert problem.reason.endswith("; its records stay in it until it can be sealed")
    assert len(list((root / "journal").glob("*.journal"))) == 1


def test_a_missing_spool_directory_is_made(root):
    record_and_die(root)
    (root / "spool").rmdir()
    seal_dead_journals(root)
    assert len(picture(root)) == 3


def test_a_directory_without_journals_has_nothing_to_seal(tmp_path):
    assert seal_dead_journals(tmp_path) == []
