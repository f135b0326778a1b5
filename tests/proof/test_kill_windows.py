"""The narrow moments in which a kill could lose or repeat a record, each made to happen for certain."""

import os
from pathlib import Path

from cirron._recorder import recover
from cirron.spool import Batch, read, seal_dead_journals
from proof.journal_file import SPAN_CELLS, take_back
from proof.script import KILLED, picture, run


def batches(root: Path) -> list[Batch]:
    return list(read(root).batches())


def the_journal(root: Path) -> Path:
    (journal,) = (root / "journal").glob("*.journal")
    return journal


def test_a_kill_between_closing_a_scope_and_committing_its_record_leaves_it_open(root):
    run("recorder = new_recorder()\nwith recorder.scope('step'): pass\nkill()", root, expect=KILLED)
    take_back(the_journal(root), SPAN_CELLS)
    seal_dead_journals(root)
    assert picture(root) == ["step interrupted", "cirron.session interrupted"]


def test_a_kill_between_the_last_batch_and_the_removal_of_the_journal_repeats_nothing(root):
    """A second name keeps the journal as it was when the first was removed."""
    run(
        "recorder = new_recorder()\n"
        "with recorder.scope('step'): pass\n"
        "os.link(recorder.journal_path, journals / 'kept.journal')\n"
        "recorder.close('completed')",
        root,
    )
    seal_dead_journals(root)
    assert picture(root) == ["step closed", "cirron.session closed"]
    assert list((root / "journal").iterdir()) == []


def test_a_recovery_that_is_killed_before_it_removes_the_journal_is_not_repeated(root):
    run("recorder = new_recorder()\nscope = recorder.scope('step').__enter__()\nkill()", root, KILLED)
    kept = root / "journal" / "kept.journal"
    os.link(the_journal(root), kept)
    for journal in sorted((root / "journal").iterdir()):
        recover(str(journal), str(root / "spool"))
    assert picture(root) == ["step interrupted", "cirron.session interrupted"]
    assert not kept.exists()


def test_what_a_drain_has_read_but_could_not_write_is_not_lost_uncounted(root):
    """While the spool is gone the ring comes round, and then the process dies."""
    made = run(
        "recorder = new_recorder(ring_marks=64)\n"
        "for number in range(100): recorder.mark('early', number)\n"
        "spool.rmdir()\n"
        "try: recorder.drain()\n"
        "except OSError: pass\n"
        "for number in range(20_000): recorder.mark('late', number)\n"
        "print(20_100, flush=True)\n"
        "kill()",
        root,
        expect=KILLED,
    )
    seal_dead_journals(root)
    found = sum(len(batch.marks) for batch in batches(root))
    dropped = batches(root)[-1].counters.marks_dropped
    assert found + dropped == int(made)


def test_a_batch_that_was_half_written_at_the_kill_is_written_again(root):
    """The process is killed by its own write: the file may not grow beyond a few bytes."""
    run(
        "recorder = new_recorder()\n"
        "for number in range(1000): recorder.mark('loss', number)\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "recorder.drain()",
        root,
        expect=-25,
    )
    assert [path.suffix for path in (root / "spool").iterdir()] == [".tmp"]
    seal_dead_journals(root)
    assert sorted(mark.value for batch in batches(root) for mark in batch.marks) == list(range(1000))
    assert [path.suffix for path in (root / "spool").iterdir()] == [".json"]


def test_what_is_left_of_a_journal_that_was_never_finished_is_removed(root):
    """A process that dies while it makes its journal has recorded nothing."""
    run(
        "recorder = new_recorder()\nos.rename(recorder.journal_path, recorder.journal_path + '.new')\nkill()",
        root,
        KILLED,
    )
    seal_dead_journals(root)
    assert list((root / "journal").iterdir()) == []
