"""The cap on a spool: what is removed when, and who counts it, whatever several processes and the disk do."""

import logging
import os
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

import pytest

from cirron.faults import Faults
from cirron.spool import read
from cirron.spool.cap import Dropped, SpoolCap
from cirron.spool.usage import Usage
from support.spool_files import batch, mark, put, span

BATCH_BYTES = 10_000
CAP_BYTES = 100_000


@pytest.fixture
def root(tmp_path):
    """A `.cirron` directory with an empty spool; it has no journal folder, for these batches are fillers."""
    root = tmp_path / ".cirron"
    (root / "spool" / "rejected").mkdir(parents=True)
    return root


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def listings():
    """How often a directory was listed since the test began, as the interpreter itself reports it."""
    return Listings()


@pytest.fixture
def refuse_removal(monkeypatch):
    """Has the system refuse to remove files whose names end so; to make them immutable, one must be root."""
    unlink = os.unlink

    def refuse(ending):
        def refusing(path):
            if str(path).endswith(ending):
                raise PermissionError(1, "Operation not permitted", str(path))
            unlink(path)

        monkeypatch.setattr(os, "unlink", refusing)

    return refuse


class Listings:
    """Counts `os.scandir` through an audit hook, of which a process has one for all its tests."""

    seen = 0
    hooked = False

    def __init__(self):
        if not Listings.hooked:
            sys.addaudithook(
                lambda event, args: setattr(Listings, "seen", Listings.seen + (event == "os.scandir"))
            )
            Listings.hooked = True
        self.before = Listings.seen

    @property
    def count(self):
        return Listings.seen - self.before


def fill(folder: Path, *numbers: int, size_bytes: int = BATCH_BYTES) -> int:
    """Batches of exactly that size with two spans and one mark each; the bytes written."""
    for number in numbers:
        records = dict(spans=[span(1, "step"), span(2, "step")], marks=[mark(3, "loss", 0.5)])
        path = put(folder, batch(number, **records))
        with path.open("a") as file:
            file.write(" " * (size_bytes - path.stat().st_size))
    return size_bytes * len(numbers)


def numbers_in(folder: Path) -> list[int]:
    """The batches there, by number, which is also their age."""
    return sorted(int(path.name[:20]) for path in folder.glob("*.json") if ".reason" not in path.name)


def started(root: Path, faults: Faults | None = None, max_bytes: int = CAP_BYTES) -> SpoolCap:
    cap = SpoolCap(root, max_bytes, faults)
    cap.start()
    return cap


def run_together(count, arguments):
    """Run a program so many times at once, past its barriers together; the numbers each of them prints last."""
    command = [sys.executable, "-P", "-c", *arguments]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    processes = [subprocess.Popen(command, **pipes) for _ in range(count)]
    for _ in ("all are ready", "all have written"):
        assert all(process.stdout.readline() for process in processes)
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
    ends = [(*process.communicate(), process.returncode) for process in processes]
    assert [code for _, _, code in ends] == [0] * count, ends
    return [[int(text) for text in out.split()] for out, _, _ in ends]


# ---- what goes, and what stays ----


def test_below_the_cap_nothing_is_removed(root):
    cap = started(root)
    assert cap.added(fill(root / "spool", *range(10))) == Dropped(0, 0, 0)
    assert numbers_in(root / "spool") == list(range(10))


def test_above_the_cap_the_oldest_go_until_a_tenth_is_free_and_all_they_held_is_counted(root):
    cap = started(root)
    assert cap.added(fill(root / "spool", *range(11))) == Dropped(batches=2, spans=4, marks=2)
    assert numbers_in(root / "spool") == list(range(2, 11))
    assert cap.used_bytes() == 9 * BATCH_BYTES


def test_what_was_dropped_is_told_once(root):
    cap = started(root)
    cap.added(fill(root / "spool", *range(11)))
    assert cap.added(fill(root / "spool", 11)) == Dropped()


def test_rejected_batches_count_too_and_go_by_their_age_together_with_their_reasons(root):
    spool, rejected = root / "spool", root / "spool" / "rejected"
    fill(spool, 0, 2, 4, 5, 6, 7, 8, 9)
    fill(rejected, 1, 3)
    for path in list(rejected.glob("*.json")):
        path.with_suffix(".reason.json").write_text('{"status": 400}')
    cap = started(root)
    cap.added(fill(spool, 10))
    assert (numbers_in(spool), numbers_in(rejected)) == ([2, 4, 5, 6, 7, 8, 9, 10], [3])
    assert [path.name[:20] for path in rejected.glob("*.reason.json")] == [f"{3:020}"]


def test_a_reason_whose_batch_is_gone_goes_in_its_turn_and_counts_as_no_batch(root):
    (root / "spool" / "rejected" / f"{0:020}-{0:032x}.reason.json").write_text("{}")
    cap = started(root)
    assert cap.added(fill(root / "spool", *range(1, 12))).batches == 2
    assert list((root / "spool" / "rejected").iterdir()) == []


def test_the_newest_batch_stays_even_if_it_is_larger_than_the_cap(root):
    cap = started(root)
    fill(root / "spool", 0)
    assert cap.added(BATCH_BYTES + fill(root / "spool", 1, size_bytes=2 * CAP_BYTES)).batches == 1
    assert numbers_in(root / "spool") == [1]


def test_files_that_are_none_of_the_spools_are_neither_counted_nor_removed(root):
    foreign = [root / "spool" / name for name in ("notes.json", f"{0:020}-{0:032x}.json.tmp", "README")]
    for path in foreign:
        path.write_bytes(b" " * CAP_BYTES)
    cap = started(root)
    assert cap.used_bytes() == 0
    cap.added(fill(root / "spool", *range(11)))
    assert all(path.exists() for path in foreign)


def test_a_batch_that_cannot_be_read_counts_as_one_of_unknown_content(root):
    put(root / "spool", b"{" + b" " * BATCH_BYTES, name=f"{0:020}-{0:032x}.json")
    cap = started(root)
    assert cap.added(fill(root / "spool", *range(1, 11))) == Dropped(batches=2, spans=2, marks=1)


def test_what_cirron_measures_about_itself_is_not_counted_as_a_mark(root):
    overhead = mark(2, "cirron.overhead_ns", 60, "int", kind="summary")
    put(root / "spool", batch(0, spans=[span(1, "step")], marks=[overhead, mark(3, "loss", 0.5)]))
    cap = started(root)
    cap.added(fill(root / "spool", *range(1, 10)))
    assert cap.added(fill(root / "spool", 10, size_bytes=2 * BATCH_BYTES)).marks == 1 + 2


def test_a_session_that_begins_in_a_spool_that_is_too_large_makes_room_and_counts_it(root):
    fill(root / "spool", *range(20))
    cap = started(root)
    assert cap.used_bytes() == 9 * BATCH_BYTES
    assert cap.added(0).batches == 11


def test_one_warning_says_what_happens_and_what_to_do(root, faults, caplog):
    cap = started(root, faults)
    for first in range(0, 60, 12):
        cap.added(fill(root / "spool", *range(first, first + 12)))
    (message,) = [record.getMessage() for record in caplog.records]
    assert "reached its cap of 100,000 bytes" in message
    assert "cirron spool flush" in message
    assert faults.counts() == {}


# ---- without listing ----


def test_the_directory_is_not_listed_for_a_batch_that_fits(root, listings):
    cap = started(root)
    at_start = listings.count
    for number in range(10):
        cap.added(fill(root / "spool", number))
        cap.used_bytes()
    assert (at_start, listings.count) == (2, 2)  # spool/ and rejected/, once


def test_room_is_made_for_many_batches_at_a_time(root, listings):
    cap = started(root, max_bytes=100 * 1000)
    for number in range(1000):
        cap.added(fill(root / "spool", number, size_bytes=1000))
    assert listings.count <= 2 * (1 + 900 // 10)


def test_where_nothing_can_be_removed_it_is_not_tried_again_for_each_batch(
    root, faults, listings, refuse_removal
):
    refuse_removal(".json")
    cap = started(root, faults)
    cap.added(fill(root / "spool", *range(20)))
    before = listings.count
    for _ in range(50):
        cap.added(100)
    assert listings.count == before
    assert faults.counts() == {"spool": 10}


# ---- together with others ----


def test_two_share_one_number(root):
    mine, other = started(root), started(root)
    other.added(fill(root / "spool", *range(6)))
    assert mine.used_bytes() == 6 * BATCH_BYTES
    assert mine.added(fill(root / "spool", *range(6, 12))).batches == 3
    assert mine.used_bytes() == other.used_bytes() == 9 * BATCH_BYTES
    assert other.added(0) == Dropped()


def test_the_sender_gives_room_back(root):
    cap = started(root)
    cap.added(fill(root / "spool", *range(10)))
    next((root / "spool").glob("*.json")).unlink()
    cap.removed(BATCH_BYTES)
    assert cap.used_bytes() == 9 * BATCH_BYTES
    assert cap.added(fill(root / "spool", 10)) == Dropped()


def test_files_removed_by_others_are_noticed_before_any_batch_is_dropped(root):
    cap = started(root)
    cap.added(fill(root / "spool", *range(10)))
    for path in (root / "spool").glob("*.json"):
        path.unlink()
    assert cap.added(fill(root / "spool", 10)) == Dropped()
    assert cap.used_bytes() == BATCH_BYTES


WORKER = """
import os, sys
from pathlib import Path
from cirron.spool.cap import SpoolCap
root, worker, count = Path(sys.argv[1]), os.getpid(), int(sys.argv[2])
records = b'"spans":[{"name":"step"},{"name":"step"}],"marks":[{"name":"loss"}]'
content = (b'{"schema_version":1,' + records + b"}").ljust(1000)
cap = SpoolCap(root, 50_000)
cap.start()
print("ready", flush=True)
sys.stdin.readline()
totals = [0, 0, 0]
for number in range(count):
    path = root / "spool" / f"{number:020}-{worker:032x}.json"
    path.with_suffix(".json.tmp").write_bytes(content)
    path.with_suffix(".json.tmp").rename(path)
    totals = [total + new for total, new in zip(totals, cap.added(len(content)))]
print("written", flush=True)
sys.stdin.readline()
totals = [total + new for total, new in zip(totals, cap.added(0))]
print(*totals, flush=True)
"""


def test_of_many_processes_each_lost_batch_is_counted_by_exactly_one(root):
    workers, count = 6, 300
    ends = run_together(workers, [WORKER, str(root), str(count)])
    left = numbers_in(root / "spool")
    lost = workers * count - len(left)
    assert [sum(column) for column in zip(*ends, strict=True)] == [lost, 2 * lost, lost]
    assert len(left) <= 50 + workers  # at the cap, and what each may have written while another made room


def test_a_process_that_is_stopped_while_it_holds_the_number_stops_nobody(root, faults):
    cap = started(root, faults)
    with Usage(root / "usage").held():
        assert cap.added(fill(root / "spool", 0, size_bytes=4000)) == Dropped()
        assert cap.used_bytes() == 0
        assert cap.added(fill(root / "spool", *range(1, 12))).batches == 3
        assert cap.used_bytes() == 9 * BATCH_BYTES
    cap.added(0)
    assert Usage(root / "usage").peek() == 9 * BATCH_BYTES
    assert faults.counts() == {}


def test_a_child_forked_while_the_number_is_held_does_not_keep_it(root):
    read_end, write_end = os.pipe()
    with Usage(root / "usage").held():
        child = os.fork()
        if child == 0:
            os.close(write_end)
            os.read(read_end, 1)
            os._exit(0)
    os.close(read_end)
    cap = started(root)
    cap.added(fill(root / "spool", 0))
    assert Usage(root / "usage").peek() == BATCH_BYTES
    os.close(write_end)
    os.waitpid(child, 0)


# ---- when things are not as they should be ----


@pytest.mark.parametrize(
    "content", [b"x", b"cirron-u" + bytes(16), b"cirron-u" + b"\xff" * 16, b"1234" * 1000], ids=len
)
def test_a_damaged_number_is_counted_anew_and_said(root, faults, caplog, content):
    cap = started(root, faults)
    cap.added(fill(root / "spool", 0, 1))
    (root / "usage").write_bytes(content)
    cap.added(fill(root / "spool", 2))
    assert Usage(root / "usage").peek() == 3 * BATCH_BYTES
    assert faults.counts() == {"spool": 1}
    assert "counted anew" in caplog.text


def test_a_number_that_was_deleted_is_counted_anew(root, faults):
    cap = started(root, faults)
    cap.added(fill(root / "spool", 0, 1))
    (root / "usage").unlink()
    cap.added(fill(root / "spool", 2))
    assert cap.used_bytes() == Usage(root / "usage").peek() == 3 * BATCH_BYTES
    assert faults.counts() == {}


def test_where_no_number_can_be_shared_each_keeps_its_own_and_the_cap_holds(root, faults, listings, caplog):
    (root / "usage").mkdir()
    cap = started(root, faults, max_bytes=100 * 1000)
    lost = sum(cap.added(fill(root / "spool", number, size_bytes=1000)).batches for number in range(1000))
    left = numbers_in(root / "spool")
    assert len(left) + lost == 1000
    assert len(left) <= 105
    assert listings.count <= 2 * (1 + 1000 // 5)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1  # of the full spool
    assert faults.counts()["spool cap"] >= 1000


def test_what_others_write_is_noticed_where_no_number_can_be_shared(root):
    (root / "usage").mkdir()
    cap = started(root)
    fill(root / "spool", *range(11))
    assert cap.added(fill(root / "spool", 11)).batches == 3


@pytest.mark.parametrize("obstacle", ["a pipe", "a file for a folder"])
def test_obstacles_of_other_kinds_are_survived(root, faults, obstacle):
    if obstacle == "a pipe":
        os.mkfifo(root / "usage")
        cap = started(root, faults)
    else:
        cap = started(root / "usage" / "below", faults)
    assert cap.added(1000) == Dropped()
    assert sum(faults.counts().values()) > 0


def test_a_folder_that_vanishes_costs_nothing_and_is_taken_up_again_when_it_is_back(root, faults):
    cap = started(root, faults)
    cap.added(fill(root / "spool", *range(5)))
    away = root.with_name("away")
    root.rename(away)
    cap.added(BATCH_BYTES)
    cap.removed(BATCH_BYTES)
    assert cap.used_bytes() >= 0
    away.rename(root)
    assert cap.added(fill(root / "spool", *range(5, 11))).batches == 2
    assert cap.used_bytes() == 9 * BATCH_BYTES


def test_a_full_disk_leads_to_no_listing_at_each_batch(root):
    script = cleandoc(
        """
        import resource, signal, sys
        from pathlib import Path
        from cirron.spool.cap import SpoolCap
        listings = []
        sys.addaudithook(lambda event, args: listings.append(event) if event == "os.scandir" else None)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        cap = SpoolCap(Path(sys.argv[1]), 100_000)
        cap.start()
        for _ in range(40):
            cap.added(100)
        print(len(listings))
        """
    )
    done = subprocess.run([sys.executable, "-P", "-c", script, root], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_a_batch_that_will_not_go_is_reported_and_others_go_in_its_place(
    root, faults, caplog, refuse_removal
):
    refuse_removal(f"{0:020}-{0:032x}.json")
    cap = started(root, faults)
    dropped = cap.added(fill(root / "spool", *range(11)))
    assert (dropped, numbers_in(root / "spool")[:2]) == (Dropped(2, 4, 2), [0, 3])
    assert faults.counts() == {"spool": 1}
    assert "cannot be removed" in caplog.text


# ---- a whole session ----

RANK = """
import sys
import cirron
recorder = cirron.Cirron(output_dir=sys.argv[1], spool_max_bytes=1024 * 1024)
recorder.profile()
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    for step in range(200):
        with recorder.scope("step"):
            recorder.mark("loss", step)
    recorder.flush()
print("recorded", flush=True)
sys.stdin.readline()
recorder.shutdown()
health = recorder.health()
print(*(health[key] for key in ("spool_drop_count", "spool_drop_span_count", "spool_drop_mark_count")))
"""


def test_ranks_that_share_a_spool_keep_it_within_its_cap_and_count_all_that_is_lost(tmp_path):
    root, ranks = tmp_path / ".cirron", 3
    counted = [sum(column) for column in zip(*run_together(ranks, [RANK, str(root)]), strict=True)]
    batches = list(read(root).batches())
    spans = sum(span.name == "step" for batch in batches for span in batch.spans)
    marks = sum(mark.name == "loss" for batch in batches for mark in batch.marks)
    size_bytes = sum(path.stat().st_size for path in (root / "spool").glob("*.json"))
    recorded = ranks * 40 * 200
    assert (spans + counted[1], marks + counted[2]) == (recorded, recorded)
    assert counted[0] > 0
    assert size_bytes <= 1.1 * 1024 * 1024
