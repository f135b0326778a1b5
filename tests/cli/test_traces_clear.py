"""`cirron traces clear` as a user runs it, over spools on disk."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cirron.spool import list_files
from cirron.spool.orphans import FRESH_S
from cirron.spool.usage import Usage
from faults.launchers import PLACES
from support.commands import cirron, start
from support.recording import EPOCH_NS, Recording, write_tensors

OUTPUT = Path(".cirron")
SPOOL = OUTPUT / "spool"
DAY_MS = 86_400_000
IDS = ["a" * 32, "b" * 32, "c" * 32]

LIVE = """
import sys
import cirron as ci

ci.profile()
with ci.scope("epoch"):
    pass
ci.flush()
print("ready", flush=True)
sys.stdin.readline()
"""


def remember(session_id, day=0, number=1, snapshot=False, **of_batch):
    """A session of one span on some day after 2023-11-14T22:13:20Z; the id of the span."""
    recording = Recording(session_id, id_head=int(session_id[:16], 16), **of_batch)
    span_id = recording.span("epoch", day * DAY_MS, day * DAY_MS + 1000)
    if snapshot:
        uri = write_tensors(OUTPUT, span_id, weight=_numbers())
        recording.snapshot(span_id, "weight", at=day * DAY_MS, mode="full", blob_uri=uri)
    recording.session(day * DAY_MS, day * DAY_MS + 2000, attrs={"cirron.ended": "completed"})
    recording.write(SPOOL, number)
    return span_id


def _numbers():
    import numpy

    return numpy.arange(4, dtype="float32")


def sessions_left():
    return sorted({file.path.read_text().split('"session_id":"')[1][:1] for file in list_files(OUTPUT)})


def age(*paths):
    """Have folders look as if nothing had been written there for a while."""
    long_ago_s = time.time() - FRESH_S - 60
    for path in paths:
        os.utime(path, (long_ago_s, long_ago_s))


@pytest.fixture
def three_days():
    """A session on each of three days."""
    for day, session_id in enumerate(IDS):
        remember(session_id, day, number=day)


def test_everything_goes_after_a_question_that_says_how_much(three_days):
    size_bytes = sum(file.size_bytes for file in list_files(OUTPUT))
    ran = cirron("traces", "clear", stdin="y\n")
    counted = f"3 sessions, 3 batch files ({size_bytes / 1000:.2f} KB)"
    assert ran == (
        0,
        f"Deleted {counted}\n",
        f"? Delete {counted} from {OUTPUT.resolve()}? (y/N) \n",
    )
    assert sessions_left() == []


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yesterday\n"])
def test_any_answer_but_yes_leaves_all_and_fails(three_days, answer):
    ran = cirron("traces", "clear", stdin=answer)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith("\nNothing was deleted; --yes deletes without a question\n")
    assert sessions_left() == ["a", "b", "c"]


def test_yes_asks_nothing(three_days):
    ran = cirron("traces", "clear", "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert sessions_left() == []


def test_keep_leaves_the_newest_runs(three_days):
    assert cirron("traces", "clear", "--yes", "--keep", "2").code == 0
    assert sessions_left() == ["b", "c"]


def test_keeping_more_than_there_are_deletes_nothing(three_days):
    ran = cirron("traces", "clear", "--yes", "--keep", "9")
    assert ran == (0, f"Nothing to delete in {OUTPUT.resolve()}\n", "")
    assert sessions_left() == ["a", "b", "c"]


def test_ranks_and_workers_of_one_run_count_as_one_and_go_together():
    remember(IDS[0], 0, number=0, rank=0, world_size=2, run_id="r")
    remember(IDS[1], 0, number=1, rank=1, world_size=2, run_id="r")
    remember("d" * 32, 0, number=2, rank=1, world_size=2, worker="0", parent_session_id=IDS[1])
    remember(IDS[2], 1, number=3)
    assert cirron("traces", "clear", "--yes", "--keep", "2").out.startswith("Nothing to delete")
    assert cirron("traces", "clear", "--yes", "--keep", "1").out.startswith(
        "Deleted 3 sessions, 3 batch files"
    )
    assert sessions_left() == ["c"]


def test_before_deletes_what_ended_before_and_says_how_it_understood_the_time(three_days):
    ran = cirron("traces", "clear", "--yes", "--before", "2023-11-16", TZ="Asia/Tokyo")
    assert (ran.code, ran.err) == (0, "Only what ended before 2023-11-16 00:00:00+09:00\n")
    assert sessions_left() == ["b", "c"]  # the second ended on the 15th in UTC, on the 16th there


def test_before_counts_from_the_end_of_a_session_not_from_its_start(three_days):
    end = "2023-11-15T22:13:22Z"
    assert cirron("traces", "clear", "--yes", "--before", end).code == 0
    assert sessions_left() == ["b", "c"]
    assert cirron("traces", "clear", "--yes", "--before", "2023-11-15T22:13:22.001Z").code == 0
    assert sessions_left() == ["c"]


def test_before_leaves_a_session_of_which_nothing_tells_when_it_ended():
    Recording(IDS[0]).write(SPOOL)
    assert cirron("traces", "clear", "--yes", "--before", "2099-01-01").out.startswith("Nothing to delete")
    assert cirron("traces", "clear", "--yes").out.startswith("Deleted 1 session")


def test_before_and_keep_delete_what_both_let_go(three_days):
    assert cirron("traces", "clear", "--yes", "--before", "2023-11-16T12:00Z", "--keep", "2").code == 0
    assert sessions_left() == ["b", "c"]


@pytest.mark.parametrize("given", ["yesterday", "2023-13-01", "", "0001-01-01", "\x1b[2J"])
def test_a_time_that_is_none_is_wrong_usage(three_days, given):
    ran = cirron("traces", "clear", "--yes", "--before", given, TZ="Asia/Tokyo")
    assert (ran.code, ran.out) == (2, "")
    assert "write it like 2026-11-20" in " ".join(ran.err.split())
    assert "\x1b" not in ran.err
    assert sessions_left() == ["a", "b", "c"]


def test_all_batches_of_a_session_go_also_copies_under_another_name(three_days, damaged_spools):
    first = list_files(OUTPUT)[0]
    shutil.copy(first.path, SPOOL / f"{EPOCH_NS + 77:020}-{7:032x}.json")
    assert cirron("traces", "clear", "--yes", "--keep", "2").code == 0
    assert sessions_left() == ["b", "c"]


def test_sessions_of_other_writers_go_too():
    anonymous = Recording(None)
    anonymous.span("step", 0, 1)
    anonymous.write(SPOOL)
    assert cirron("traces", "clear", "--yes").out.startswith("Deleted 1 session, 1 batch file")


def test_a_session_that_is_still_recording_stays(three_days):
    with running() as process:
        ran = cirron("traces", "clear", "--yes")
        assert ran.code == 0
        assert ran.out.startswith("Deleted 3 sessions, 3 batch files")
        assert f"of process {process.pid} is still recording, so its run stays\n" in ran.err
        assert len(list_files(OUTPUT)) == 1
        process.communicate("go on\n")
    assert process.returncode == 0
    assert cirron("traces", "clear", "--yes").out.startswith("Deleted 1 session")


def test_a_live_session_stays_from_whichever_folder_the_command_is_given(monkeypatch):
    with running() as process:
        monkeypatch.chdir(SPOOL)
        for where in (".", "..", "../.."):
            assert "is still recording" in cirron("traces", "clear", "--yes", "--spool", where).err
        assert len(list(Path().glob("*.json"))) == 1
        process.communicate("go on\n")


def running():
    """A program that records, after its first batch."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", LIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_the_snapshots_of_a_deleted_session_go_and_those_of_others_stay():
    old, new = remember(IDS[0], 0, 0, snapshot=True), remember(IDS[1], 1, 1, snapshot=True)
    ran = cirron("traces", "clear", "--yes", "--keep", "1")
    assert ran.out.startswith("Deleted 1 session, 1 batch file, 1 snapshot folder (")
    assert [path.name for path in (OUTPUT / "snapshots").iterdir()] == [new] != [old]


def test_snapshots_that_a_waiting_rejected_or_unreadable_batch_refers_to_stay(damaged_spools):
    old = remember(IDS[0], 0, 0, snapshot=True)
    new = Recording(IDS[1])
    new.snapshot(new.session(0, 1), "weight", mode="full", blob_uri=f"snapshots/{old}/weights.safetensors")
    path = new.write(SPOOL, 2)
    assert cirron("traces", "clear", "--yes", "--keep", "1").code == 0
    assert (OUTPUT / "snapshots" / old).is_dir()

    (SPOOL / "rejected").mkdir()
    path.rename(SPOOL / "rejected" / path.name)
    age(OUTPUT / "snapshots" / old)
    ran = cirron("traces", "clear", "--yes")
    assert ran.out.startswith("Nothing to delete")
    assert ran.err == f"Left alone: 1 batch that a server rejected, in {(SPOOL / 'rejected').resolve()}\n"

    (SPOOL / "rejected" / path.name).rename(path)
    path.write_bytes(path.read_bytes().replace(b"snapshots/", rb"snapshots\/")[:-5])
    ran = cirron("traces", "clear", "--yes")
    assert ran.out.startswith("Nothing to delete")
    assert ran.err.startswith(f"Warning: left out {path.name}")

    path.unlink()
    assert cirron("traces", "clear", "--yes").out.startswith("Deleted 1 orphan")
    assert not (OUTPUT / "snapshots" / old).exists()


def test_orphans_go_unless_told_otherwise():
    remember(IDS[0])
    lost = orphans()
    ran = cirron("traces", "clear", "--yes", "--keep", "1", "--no-prune-orphans")
    assert ran.out.startswith("Nothing to delete")
    assert all(path.exists() for path in lost)
    ran = cirron("traces", "clear", "--yes", "--keep", "1")
    assert ran.out.startswith("Deleted 3 orphans (")
    assert not any(path.exists() for path in lost)
    assert sessions_left() == ["a"]


def orphans():
    """Snapshots of a span nobody knows, a reason without its batch, a folder for batches of a session long over."""
    folder, sent = OUTPUT / "snapshots" / ("9" * 32), OUTPUT / "sent" / ("8" * 32)
    write_tensors(OUTPUT, folder.name, weight=_numbers())
    age(folder)
    sent.mkdir(parents=True)
    (sent / "notes.txt").write_text("no batch")
    reason = SPOOL / "rejected" / f"{1:020}-{1:032x}.reason.json"
    reason.parent.mkdir()
    reason.write_text("{}")
    return [folder, sent, reason]


def test_what_is_not_an_orphan_stays():
    remember(IDS[0])
    batch = SPOOL / "rejected" / f"{1:020}-{1:032x}.json"
    batch.parent.mkdir()
    kept = [batch, batch.with_suffix(".reason.json"), OUTPUT / "snapshots" / "notes.txt"]
    fresh, foreign = OUTPUT / "snapshots" / ("9" * 32), OUTPUT / "snapshots" / "mine"
    for folder in (fresh, foreign, OUTPUT / "sent" / "mine"):
        folder.mkdir(parents=True)
        kept.append(folder)
    for path in kept[:3]:
        path.write_text("{}")
    link = OUTPUT / "snapshots" / ("7" * 32)
    Path("elsewhere").mkdir()
    link.symlink_to(Path("elsewhere").resolve())
    age(foreign, link)
    assert cirron("traces", "clear", "--yes", "--keep", "1").out.startswith("Nothing to delete")
    assert all(path.exists() for path in (*kept, link))


def test_snapshots_and_sent_batches_of_a_live_session_stay():
    with running() as process:
        (journal,) = (OUTPUT / "journal").glob("*.journal")
        folder, sent = OUTPUT / "snapshots" / f"{journal.name[:16]}{99:016x}", OUTPUT / "sent" / journal.stem
        folder.mkdir(parents=True)
        sent.mkdir(parents=True)
        age(folder)
        assert cirron("traces", "clear", "--yes").out.startswith("Nothing to delete")
        assert folder.is_dir()
        assert sent.is_dir()
        process.communicate("go on\n")


def test_what_was_sent_of_a_session_while_it_ran_stays_and_goes_with_it(platform):
    platform.sign_in()
    with running() as process:
        assert cirron("spool", "flush").code == 0
        process.communicate("go on\n")
    (sent,) = (OUTPUT / "sent").glob("*/*.json")
    assert cirron("traces", "clear", "--yes", "--keep", "1").out.startswith("Nothing to delete")
    assert sent.is_file()
    ran = cirron("traces", "clear", "--yes", "--no-prune-orphans")
    assert ran.out.startswith("Deleted 1 session, 2 batch files (")
    assert list((OUTPUT / "sent").iterdir()) == list_files(OUTPUT) == []


def test_a_session_that_was_sent_as_a_whole_is_one_that_can_be_kept():
    remember(IDS[0])
    sent = OUTPUT / "sent" / IDS[0]
    sent.parent.mkdir()
    SPOOL.rename(sent)
    SPOOL.mkdir()
    assert cirron("traces", "clear", "--yes", "--keep", "1").out.startswith("Nothing to delete")
    assert cirron("traces", "clear", "--yes").out.startswith("Deleted 1 session, 1 batch file (")
    assert not sent.exists()


def test_a_folder_of_batches_alone_loses_nothing_around_it():
    remember(IDS[0])
    stranger = Path("snapshots", "9" * 32)
    stranger.mkdir(parents=True)
    age(stranger)
    Path("sent").mkdir()
    shutil.copytree(SPOOL, Path("sent", IDS[0]))
    SPOOL.rename("batches")
    shutil.rmtree(OUTPUT)
    ran = cirron("traces", "clear", "--yes", "--spool", "batches")
    assert ran.out.startswith("Deleted 1 session, 1 batch file")
    assert stranger.is_dir()
    assert list(Path("sent", IDS[0]).iterdir())


def test_the_shared_number_of_bytes_is_counted_anew(three_days):
    with Usage(OUTPUT / "usage").held() as held:
        held.write(1234)
    assert cirron("traces", "clear", "--yes").code == 0
    assert Usage(OUTPUT / "usage").peek() is None


def test_a_file_called_usage_that_is_not_cirrons_is_left_alone(three_days):
    (OUTPUT / "usage").write_text("my notes")
    assert cirron("traces", "clear", "--yes").code == 0
    assert (OUTPUT / "usage").read_text() == "my notes"


def test_what_cannot_be_deleted_is_said_and_the_rest_goes(three_days):
    remember("d" * 32, 3, 3, snapshot=True)
    orphan = orphans()[0]
    SPOOL.chmod(0o555)
    refused = [sys.executable, str(PLACES / "without_privileges.py")]
    ran = cirron("traces", "clear", "--yes", launcher=refused)
    SPOOL.chmod(0o755)
    assert (ran.code, ran.out) == (1, "")
    first = list_files(OUTPUT)[0].path.resolve()
    assert ran.err.startswith(
        f"Error: 4 of the files and folders could not be deleted, the first of them {first}: Permission denied. "
    )
    assert sessions_left() == ["a", "b", "c", "d"]
    assert len(list((OUTPUT / "snapshots").iterdir())) == 1, "a batch that stays refers to one folder"
    assert not orphan.exists()


def test_no_snapshots_go_while_it_cannot_be_told_what_refers_to_them():
    remember(IDS[0], snapshot=True)
    folder = orphans()[0]
    shutil.rmtree(SPOOL / "rejected")
    (SPOOL / "rejected").write_text("not a folder")
    ran = cirron("traces", "clear", "--yes")
    assert (ran.code, sessions_left()) == (0, [])
    assert ran.err == (
        f"Warning: no snapshots go, as {(SPOOL / 'rejected').resolve()} cannot be read and may refer to them: "
        "Not a directory\n"
    )
    assert folder.is_dir()
    assert len(list((OUTPUT / "snapshots").iterdir())) == 2


def test_several_at_once_delete_everything_between_them():
    for number in range(60):
        remember(f"{number:02x}" * 16, number, number, snapshot=True)
    commands = [start("traces", "clear", "--yes") for _ in range(3)]
    answers = [process.communicate() for process in commands]
    assert [process.returncode for process in commands] == [0, 0, 0], answers
    assert sessions_left() == []
    assert list((OUTPUT / "snapshots").iterdir()) == []


def test_an_interrupt_at_the_question_deletes_nothing(three_days):
    with start("traces", "clear") as process:
        assert process.stderr.read(8) == "? Delete"
        process.send_signal(signal.SIGINT)
        process.wait()
    assert process.returncode == 130
    assert sessions_left() == ["a", "b", "c"]


def test_nothing_recorded_is_no_error():
    SPOOL.mkdir(parents=True)
    assert cirron("traces", "clear", "--yes") == (0, f"Nothing to delete in {OUTPUT.resolve()}\n", "")


def test_a_folder_that_is_not_there_is_an_error():
    ran = cirron("traces", "clear", "--yes", "--spool", "elsewhere")
    assert ran.code == 1
    assert ran.err.startswith("Error: no spool at ")


def test_a_killed_session_is_sealed_before_and_goes():
    with running() as process:
        process.kill()
    ran = cirron("traces", "clear", "--yes")
    assert ran.err.startswith("Recovered session ")
    assert ran.out.startswith("Deleted 1 session")
    assert not list((OUTPUT / "journal").glob("*.journal"))
