"""Which batch is next, and what becomes of it."""

import pytest

from cirron.delivery.outcome import Delivered, Failed, Rejected
from cirron.delivery.sent import SENT_MAX_BYTES, SentFolder
from delivery.setup import OTHER_SESSION, reason
from support.spool_files import SESSION_ID


@pytest.fixture
def queue(delivery):
    return delivery.queue


def take(delivery, outcome=Delivered()):  # noqa: B008 - it never changes
    """Settle the next batch; its age."""
    name = delivery.queue.first(anew=True)
    if name is None:
        return None
    content = delivery.queue.read(name)
    if content is not None:
        delivery.queue.settle(name, content, outcome)
    return int(name[:20])


def test_the_oldest_is_first(delivery):
    delivery.write(30, 4, 500)
    assert [take(delivery) for _ in range(4)] == [4, 30, 500, None]


def test_a_delivered_batch_is_removed_and_its_size_reported(delivery):
    delivery.write(1)
    size_bytes = next(delivery.spool.iterdir()).stat().st_size
    take(delivery)
    assert list(delivery.spool.iterdir()) == []
    assert delivery.removed_bytes == [size_bytes]


def test_what_failed_stays_first(delivery):
    delivery.write(1, 2)
    assert take(delivery, Failed("503")) == 1
    assert take(delivery) == 1


def test_a_rejected_batch_lies_aside_with_the_reason(delivery):
    delivery.write(1, 2)
    assert [take(delivery, Rejected(400, "400 Bad Request: no")), take(delivery)] == [1, 2]
    name = f"{1:020d}-{1:032x}"
    rejected = delivery.spool / "rejected"
    assert {path.name for path in rejected.iterdir()} == {f"{name}.json", f"{name}.reason.json"}
    told = reason(rejected / f"{name}.reason.json")
    assert told.pop("rejected_ns") > 0
    assert told == {"status": 400, "reason": "400 Bad Request: no"}


def test_what_is_no_batch_is_left_alone(delivery):
    for name in ("notes.json", f"{1:020d}-{1:032x}.json.tmp", "rejected"):
        (delivery.spool / name).mkdir()
    assert delivery.queue.first(anew=True) is None


def test_a_batch_that_vanished_is_passed_over(delivery):
    delivery.write(1, 2)
    delivery.queue.first(anew=True)
    (delivery.spool / f"{1:020d}-{1:032x}.json").unlink()
    assert [take(delivery), take(delivery)] == [1, 2]
    assert delivery.removed_bytes[1:] == []
    assert delivery.faults.counts() == {}


def test_a_batch_that_vanished_after_it_was_delivered_is_no_fault(delivery):
    delivery.write(1)
    name = delivery.queue.first(anew=True)
    content = delivery.queue.read(name)
    (delivery.spool / name).unlink()
    delivery.queue.settle(name, content, Delivered())
    assert (delivery.faults.counts(), delivery.removed_bytes) == ({}, [])


def test_a_spool_that_is_not_there_is_empty(delivery):
    delivery.spool.rmdir()
    assert delivery.queue.first(anew=True) is None
    assert delivery.faults.counts() == {}


def test_a_file_that_cannot_be_read_is_counted_left_out_and_tried_again_later(delivery, damaged_spools):
    (delivery.spool / f"{1:020d}-{1:032x}.json").mkdir()  # reading a folder fails for root too
    delivery.write(2)
    assert [take(delivery), take(delivery), take(delivery)] == [1, 2, None]
    assert delivery.faults.counts() == {"unreadable batch": 1}
    delivery.clock.now_s += 61
    assert take(delivery) == 1


def test_the_directory_is_not_listed_for_each_batch(delivery, monkeypatch):
    listings = []
    monkeypatch.setattr(delivery.queue, "_listed", lambda now_s: listings.append(now_s) or real(now_s))
    real = type(delivery.queue)._listed.__get__(delivery.queue)
    delivery.write(*range(100))
    delivery.clock.now_s += 1
    for _ in range(100):
        name = delivery.queue.first()
        delivery.queue.settle(name, delivery.queue.read(name), Delivered())
    assert delivery.queue.first() is None
    assert len(listings) == 1


def test_batches_written_later_are_found_once_the_known_ones_are_done(delivery):
    delivery.write(1)
    take(delivery)
    delivery.write(2)
    delivery.clock.now_s += 1
    assert delivery.queue.first()[:20] == f"{2:020d}"


# ---- kept while a session may read them ----


def sent(delivery, session_id):
    folder = delivery.output_dir / "sent" / session_id
    return sorted(int(path.name[:20]) for path in folder.glob("*.json"))


def test_delivered_batches_of_this_session_are_kept_for_it(delivery):
    delivery.write(1, 2, session_id=SESSION_ID)
    take(delivery)
    assert (sent(delivery, SESSION_ID), delivery.waiting()) == ([1], [2])
    assert len(delivery.removed_bytes) == 1


def test_delivered_batches_of_another_live_session_are_kept_for_it(delivery, damaged_spools):
    (delivery.output_dir / "journal").mkdir()
    (delivery.output_dir / "journal" / f"{OTHER_SESSION}.journal").touch()
    delivery.write(1)
    take(delivery)
    assert sent(delivery, OTHER_SESSION) == [1]


def test_what_is_kept_stays_within_its_size_by_losing_the_oldest(delivery, monkeypatch):
    delivery.write(*range(10), session_id=SESSION_ID)
    size_bytes = next(delivery.spool.iterdir()).stat().st_size
    monkeypatch.setattr("cirron.delivery.sent.SENT_MAX_BYTES", 4 * size_bytes)
    for _ in range(10):
        take(delivery)
    assert sent(delivery, SESSION_ID) == [6, 7, 8, 9]  # with the fifth and the eighth, two more had to go
    assert SENT_MAX_BYTES == 128 * 1024 * 1024


def test_what_cannot_be_kept_is_removed_from_the_spool_all_the_same(delivery):
    (delivery.output_dir / "sent").write_text("in the way")
    delivery.write(1, session_id=SESSION_ID)
    take(delivery)
    assert delivery.waiting() == []
    assert delivery.faults.counts() == {"delivered batch": 1}


def test_a_new_session_clears_away_what_is_kept_for_sessions_that_are_over(delivery, damaged_spools):
    (delivery.output_dir / "journal").mkdir()
    live = "11" * 16
    (delivery.output_dir / "journal" / f"{live}.journal").touch()
    for session_id in (OTHER_SESSION, live, SESSION_ID):
        (delivery.output_dir / "sent" / session_id).mkdir(parents=True)
        (delivery.output_dir / "sent" / session_id / "batch.json").touch()
    SentFolder(delivery.output_dir, SESSION_ID, delivery.faults).sweep()
    assert {path.name for path in (delivery.output_dir / "sent").iterdir()} == {live, SESSION_ID}


def test_a_delivered_batch_that_cannot_be_removed_is_not_sent_again(delivery, monkeypatch, caplog):
    delivery.write(1, 2)

    def refuse(path, missing_ok=False):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as context:
        context.setattr("pathlib.Path.unlink", refuse)
        assert [take(delivery), take(delivery), take(delivery)] == [1, 2, None]
    assert delivery.waiting() == [1, 2]
    assert delivery.faults.counts() == {"settled batch": 2}
    assert len(caplog.records) == 1
