"""A disk that is full, read-only or taken away stops no program, and loses no record once there is room again.

A limit on the size of files stands for the full disk: it needs no privileges, and fails the same calls.
"""

import pytest

from cirron.spool import seal_dead_journals
from proof.script import KILLED, picture, run, values


def test_a_full_disk_stops_no_program_and_its_records_come_when_there_is_room(root):
    said = run(
        "ci.profile(path=root)\n"
        "file_size_limit(1000)\n"
        "for number in range(1000): ci.mark('loss', number)\n"
        "ci.flush(); ci.flush()\n"
        "print(ci.health()['seal_failure_count'] >= 2)\n"
        "file_size_limit(NO_LIMIT)\n"
        "for number in range(1000, 2000): ci.mark('loss', number)\n"
        "ci.shutdown()",
        root,
    )
    assert said == "True\n"
    assert values(root, "loss") == list(range(2000))
    assert sorted(path.suffix for path in (root / "spool").iterdir() if path.suffix != ".json") == []


def test_a_drain_to_a_full_disk_says_which_file_and_why(root):
    said = run(
        "recorder = new_recorder()\n"
        "for number in range(1000): recorder.mark('loss', number)\n"
        "file_size_limit(1000)\n"
        "try: recorder.drain()\n"
        "except OSError as error: print(error.strerror, '|', Path(error.filename).parent.name)\n"
        "print(list(spool.iterdir()))\n"
        "file_size_limit(NO_LIMIT)\n"
        "print(recorder.drain(), recorder.counters()['seal_failures'])\n"
        "recorder.close('completed')",
        root,
    )
    assert said == "File too large | spool\n[]\n1 1\n"
    assert values(root, "loss") == list(range(1000))


def test_while_the_disk_is_full_the_oldest_records_go_and_are_counted(root):
    said = run(
        "recorder = new_recorder(ring_marks=64)\n"
        "file_size_limit(1000)\n"
        "for number in range(50_000):\n"
        "    recorder.mark('loss', number)\n"
        "    if number % 1000 == 0:\n"
        "        try: recorder.drain()\n"
        "        except OSError: pass\n"
        "file_size_limit(NO_LIMIT)\n"
        "recorder.close('completed')\n"
        "print(recorder.counters()['marks_dropped'])",
        root,
    )
    found = values(root, "loss")
    assert (len(found) + int(said), found[-1]) == (50_000, 49_999)


def test_a_session_that_could_not_be_written_at_its_end_is_recovered_later(root):
    run(
        "recorder = new_recorder()\n"
        "with recorder.scope('step'): pass\n"
        "file_size_limit(100)\n"
        "try: recorder.close('completed')\n"
        "except OSError: pass",
        root,
    )
    assert picture(root) == []
    seal_dead_journals(root)
    assert picture(root)[0] == "step closed"
    assert picture(root)[1].startswith("cirron.session")


def test_a_recovery_onto_a_full_disk_can_be_tried_again(root):
    run(
        "recorder = new_recorder()\nfor number in range(1000): recorder.mark('loss', number)\nkill()",
        root,
        KILLED,
    )
    run(
        "from cirron.spool import seal_dead_journals\n"
        "file_size_limit(1000)\n"
        "(problem,) = seal_dead_journals(root)\n"
        "assert 'File too large' in str(problem), problem",
        root,
    )
    assert values(root, "loss") == []
    seal_dead_journals(root)
    assert values(root, "loss") == list(range(1000))


def test_a_spool_that_is_removed_may_come_back(root):
    run(
        "import shutil\n"
        "ci.profile(path=root)\n"
        "ci.mark('loss', 0); ci.flush()\n"
        "shutil.rmtree(spool)\n"
        "ci.mark('loss', 1); ci.flush()\n"
        "ci.mark('loss', 2)\n"
        "spool.mkdir(exist_ok=True)\n"
        "ci.flush()\n"
        "ci.mark('loss', 3)\n"
        "ci.shutdown()",
        root,
    )
    assert values(root, "loss") == [1, 2, 3]


@pytest.mark.parametrize("place", ["/proc", "/dev/null", "/nowhere/at/all"])
def test_without_a_place_for_the_journal_memory_serves(root, place):
    said = run(
        "recorder = Recorder(spool_dir=str(spool), journal_dir=" + repr(place) + ","
        ' batch_fields=b\'"sdk_version":"1.0.0"\')\n'
        "print(recorder.journal_kind)\n"
        "recorder.mark('loss', 1)\n"
        "recorder.close('completed')",
        root,
    )
    assert said.startswith("anonymous (")
    assert values(root, "loss") == [1]


def test_without_room_for_the_journal_memory_serves_and_nothing_is_left_on_the_disk(root):
    said = run(
        "file_size_limit(30_000)\n"
        "recorder = new_recorder()\n"
        "print(recorder.journal_kind, list(journals.iterdir()))\n"
        "recorder.mark('loss', 1)\n"
        "recorder.close('completed')",
        root,
    )
    assert said == "anonymous (File too large) []\n"
    assert values(root, "loss") == [1]


def test_a_thread_that_finds_no_room_in_the_journal_records_into_memory(root):
    said = run(
        "recorder = new_recorder()\n"
        "file_size_limit(100_000)\n"
        "recorder.mark('loss', 0)\n"
        "thread = threading.Thread(target=recorder.mark, args=('loss', 1))\n"
        "thread.start(); thread.join()\n"
        "print(recorder.journal_kind)\n"
        "recorder.close('completed')",
        root,
    )
    assert said == "partly anonymous (File too large)\n"
    assert values(root, "loss") == [0, 1]


def test_health_says_that_the_journal_is_in_memory(root):
    said = run("file_size_limit(30_000)\nci.profile(path=root)\nprint(ci.health()['journal'])", root)
    assert said == "anonymous (File too large)\n"
