"""Batches in memory: handed over once, the same as in the spool, or instead of a spool."""

import msgspec
import pytest

from cirron._recorder import mark, recover, scope, set_default
from cirron.spool import Batch
from support.recorders import Session
from support.spool_pictures import draw


@pytest.fixture
def keeping(new_session):
    """A session that writes its batches and keeps them as well."""
    return new_session(keep_batches=True)


@pytest.fixture
def unwritten(new_session):
    """A session that only keeps its batches."""
    return new_session(keep_batches=True, spool_dir="", journal_dir=None)


def marks_in(batches: list[bytes]) -> list[object]:
    decoded = (msgspec.json.decode(batch, type=Batch) for batch in batches)
    return [mark.value for batch in decoded for mark in batch.marks if not mark.name.startswith("cirron.")]


def test_they_are_the_files_of_the_spool_and_the_last_one_is_among_them(keeping):
    for number in range(3):
        mark("m", number)
        keeping.recorder.drain()
    keeping.end()
    files = [path.read_bytes() for path in sorted(keeping.spool.iterdir())]
    assert keeping.recorder.take_batches() == files
    assert len(files) == 4


def test_each_is_handed_over_once(keeping):
    taken = []
    for number in range(3):
        mark("m", number)
        keeping.recorder.drain()
        taken += keeping.recorder.take_batches()
    assert marks_in(taken) == [0, 1, 2]
    assert keeping.recorder.take_batches() == []


def test_none_are_kept_unless_they_are_asked_for(session):
    mark("m", 1)
    session.recorder.drain()
    assert session.recorder.take_batches() == []


def test_one_that_cannot_be_written_is_kept_only_once_it_is(keeping):
    mark("m", 1)
    keeping.spool.rmdir()
    keeping.spool.touch()
    with pytest.raises(NotADirectoryError):
        keeping.recorder.drain()
    assert keeping.recorder.take_batches() == []
    keeping.spool.unlink()
    keeping.recorder.drain()
    assert marks_in(keeping.recorder.take_batches()) == [1]


def test_without_a_spool_they_are_all_there_is(unwritten):
    with scope("s"):
        mark("m", 1)
    assert unwritten.recorder.drain() == 1
    unwritten.end()
    batches = unwritten.recorder.take_batches()
    last = msgspec.json.decode(batches[-1], type=Batch)
    assert marks_in(batches) == [1]
    assert last.session_span.attrs == {"cirron.ended": "completed"}
    assert list(unwritten.spool.iterdir()) == []
    assert unwritten.counter("bytes_sealed") == 0


def test_without_a_spool_and_without_keeping_records_are_counted_and_gone(new_session):
    session = new_session(spool_dir="", journal_dir=None)
    for number in range(20_000):
        mark("m", number)
        if number % 5_000 == 0:
            session.recorder.drain()
    session.recorder.drain()
    assert (session.counter("marks_recorded"), session.counter("marks_dropped")) == (20_000, 0)
    assert session.recorder.take_batches() == []


def test_without_a_spool_a_recovery_finds_what_had_not_been_drained(root):
    session = Session(root, spool_dir="")
    mark("drained", 1)
    session.recorder.drain()
    mark("not drained", 2)
    path = session.recorder.journal_path
    set_default(None)
    del session.recorder
    assert recover(path, str(session.spool)).marks == 1
    assert draw(session.spool) == "cirron.session (interrupted) | not drained=2"


def test_beyond_64_mib_the_oldest_are_forgotten_and_counted(unwritten):
    texts = {f"text{i}": "x" * 256 for i in range(8)}
    for number in range(40_000):
        mark("m", number, **texts)
        if number % 1_000 == 0:
            unwritten.recorder.drain()
    unwritten.recorder.drain()
    drained = unwritten.counter("batches_sealed")
    kept = unwritten.recorder.take_batches()
    assert sum(map(len, kept)) <= 64 * 2**20
    assert len(kept) + unwritten.counter("batches_forgotten") == drained
    values = marks_in(kept)
    assert values == list(range(40_000 - len(values), 40_000))
