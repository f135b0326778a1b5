"""A spool is read one file at a time, oldest first, from any of the directories a user may name."""

import os
import tracemalloc
from pathlib import Path

import pytest

from cirron.spool import find_spool, list_files, read
from cirron.spool.files import read_batch_file
from cirron.spool.records import LeanBatch, TimesBatch
from support.recording import EPOCH_NS, Recording, training
from support.spool_files import SESSION_ID, bare_batch, batch, put, session_span, span

OTHER_ID = "07" * 16


def ages(directory: Path, session: str | None = None) -> list[int]:
    return [found.created_ns for found in read(directory, session).batches()]


def test_batches_come_oldest_first(tmp_path):
    for number in (30, 4, 500):
        put(tmp_path, batch(number))
    assert ages(tmp_path) == [4, 30, 500]


@pytest.mark.parametrize("given", ["run", "run/.cirron", "run/.cirron/spool"])
def test_a_spool_is_found_from_its_own_or_either_outer_directory(given, tmp_path):
    spool = tmp_path / "run" / ".cirron" / "spool"
    spool.mkdir(parents=True)
    assert find_spool(tmp_path / given) == spool


def test_an_archive_under_another_name_is_a_spool(tmp_path):
    put(tmp_path, batch(1))
    (tmp_path / "saved" / "spool").mkdir(parents=True)
    assert find_spool(tmp_path) == tmp_path
    assert find_spool(tmp_path / "saved") == tmp_path / "saved" / "spool"


def test_a_cirron_directory_without_a_spool_is_empty(tmp_path):
    (tmp_path / ".cirron").mkdir()
    reader = read(tmp_path)
    assert (list(reader.batches()), reader.problems) == ([], [])


def test_a_directory_that_does_not_exist_is_an_error_with_a_way_out(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no spool at .*/typo: .* does not exist; name a spool directory"
    ):
        read(tmp_path / "typo")


def test_a_file_is_no_spool(tmp_path):
    with pytest.raises(NotADirectoryError, match="it is a file; name a spool directory"):
        read(put(tmp_path, batch(1)))


def test_files_are_listed_from_their_names_without_being_opened(tmp_path):
    os.mkfifo(tmp_path / "not-read.txt")  # opening it would never return
    put(tmp_path, b"not even JSON", f"{17:020d}-{'ab' * 16}.json")
    (found,) = list_files(tmp_path)
    shown = (found.path, found.created_ns, found.batch_id, found.size_bytes)
    assert shown == (tmp_path / f"{17:020d}-{'ab' * 16}.json", 17, "ab" * 16, 13)


def test_a_session_is_chosen_by_the_beginning_of_its_id(tmp_path):
    put(tmp_path, batch(1))
    put(tmp_path, batch(2, session_id=OTHER_ID))
    assert ages(tmp_path, SESSION_ID[:3]) == [1]
    assert ages(tmp_path, "07") == [2]


def test_a_session_that_batches_do_not_name_is_chosen_by_its_root_span(tmp_path):
    put(tmp_path, bare_batch(1, spans=[span(16, "step")]))
    put(tmp_path, bare_batch(2, spans=[span(17, "step", pid=5, parent_id=OTHER_ID)]))
    put(tmp_path, bare_batch(3, spans=[session_span()]))
    assert ages(tmp_path, SESSION_ID) == [1, 3]
    assert ages(tmp_path, "pid-5") == [2]


def test_a_second_pass_starts_over(tmp_path):
    put(tmp_path, batch(1))
    put(tmp_path, b"", f"{2:020d}-{2:032x}.json")
    reader = read(tmp_path)
    passes = [(len(list(reader.batches())), len(reader.problems)) for _ in range(2)]
    assert passes == [(1, 1), (1, 1)]


def test_a_file_is_opened_only_when_its_turn_comes(tmp_path):
    for number in (1, 2, 3):
        put(tmp_path, batch(number))
    batches = read(tmp_path).batches()
    next(batches)
    put(tmp_path, batch(2, sdk_version="written later"))
    assert next(batches).sdk_version == "written later"


def test_memory_holds_no_more_for_twenty_files_than_for_three(tmp_path):
    for number in range(1, 21):
        spool = tmp_path / ("few" if number <= 3 else "many")
        spool.mkdir(exist_ok=True)
        put(spool, batch(number, spans=[span(number * 1000 + k, "step") for k in range(500)]))
    peak_bytes(tmp_path / "few")  # the first pass fills caches
    assert peak_bytes(tmp_path / "many") < 1.3 * peak_bytes(tmp_path / "few")


def peak_bytes(spool: Path) -> int:
    tracemalloc.start()
    try:
        assert sum(len(found.spans) for found in read(spool).batches()) >= 1500
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_a_live_session_has_delivered_is_read_too_if_asked_for(tmp_path):
    spool, sent = tmp_path / "spool", tmp_path / "sent" / ("5e" * 16)
    recording = Recording()
    recording.write(sent, 1)
    recording.write(spool, 2)
    recording.write(sent, 3)
    assert [batch.created_ns - EPOCH_NS for batch in read(spool).batches()] == [2]
    assert [batch.created_ns - EPOCH_NS for batch in read(spool, sent=True).batches()] == [1, 2, 3]


def test_batches_come_newest_first_if_asked_for(tmp_path):
    for number in (1, 2, 3):
        Recording().write(tmp_path, number)
    assert [batch.created_ns - EPOCH_NS for batch in read(tmp_path).batches(newest_first=True)] == [3, 2, 1]


def test_lean_batches_hold_less_and_tell_when_the_next_older_one_was_sealed(tmp_path):
    recording = training(1, 2)
    for number in (1, 2):
        recording.write(tmp_path, number)
    lean = list(read(tmp_path).lean_batches(LeanBatch))
    assert [(batch.created_ns - EPOCH_NS, max(0, older_ns - EPOCH_NS)) for batch, older_ns in lean] == [
        (2, 1),
        (1, 0),
    ]
    assert [span.name for span in lean[0][0].spans] == [span.name for span in recording.spans]
    assert [mark.value for mark in lean[0][0].marks] == [mark.value for mark in recording.marks]
    assert next(read(tmp_path).lean_batches(TimesBatch))[0].marks == ()


def test_the_batches_of_several_sessions_are_picked_by_their_ids(tmp_path):
    for number, digits in enumerate(["ab", "ac", "ad"]):
        Recording(digits * 16).write(tmp_path, number)
    reader = read(tmp_path, {"ab" * 16, "ad" * 16})
    assert [batch.session_id[:2] for batch in reader.batches()] == ["ab", "ad"]


def test_a_batch_that_is_delivered_while_it_waits_to_be_read_is_read_all_the_same(tmp_path):
    spool, sent = tmp_path / "spool", tmp_path / "sent" / ("5e" * 16)
    paths = [Recording().write(spool, number) for number in (1, 2, 3)]
    sent.mkdir(parents=True)
    seen = []
    for found in read(spool, sent=True).batches():
        seen.append(found.created_ns - EPOCH_NS)
        if paths[1].exists():
            paths[1].rename(sent / paths[1].name)
    assert seen == [1, 2, 3]


def test_only_a_regular_file_is_a_batch_file(tmp_path):
    regular = put(tmp_path, batch(1))
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(regular)
    os.mkfifo(pipe)
    assert read_batch_file(regular) == regular.read_bytes()
    with pytest.raises(OSError, match="symbolic links"):
        read_batch_file(link)
    with pytest.raises(OSError, match="no regular file"):
        read_batch_file(pipe)
