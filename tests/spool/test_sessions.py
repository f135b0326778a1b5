"""A session's summary says who recorded, when, how much, and how it ended."""

import fcntl
from pathlib import Path

from cirron.spool import sessions
from support.spool_files import SESSION_ID, bare_batch, batch, mark, put, session_span, snapshot, span

OTHER_ID = "07" * 16


def picture(directory: Path) -> list[str]:
    return [
        f"{found.id[:8]} {found.ended} {found.started_ns}-{found.last_ns} files={found.files}"
        f" spans={found.spans} marks={found.marks} snapshots={found.snapshots}"
        for found in sessions(directory)
    ]


def test_a_session_sums_up_its_batches(tmp_path):
    put(tmp_path, batch(1, spans=[span(16, "step")], marks=[mark(32, "loss", 0.5)]))
    put(tmp_path, batch(2, spans=[session_span()], snapshots=[snapshot(48, "weight")]))
    assert picture(tmp_path) == ["5e5e5e5e completed 1000000-2000000 files=2 spans=2 marks=1 snapshots=1"]


def test_a_session_says_who_recorded(tmp_path):
    path = put(tmp_path, batch(1, run_id="run-7", rank=2, world_size=4))
    (found,) = sessions(tmp_path)
    who = (found.run_id, found.host, found.pid, found.rank, found.size_bytes)
    assert who == ("run-7", "n1", 4242, 2, path.stat().st_size)


def test_sessions_come_in_the_order_they_started(tmp_path):
    put(tmp_path, batch(1, spans=[span(16, "step", start_ns=9_000_000, end_ns=9_500_000)]))
    put(tmp_path, batch(2, session_id=OTHER_ID, spans=[span(17, "step")]))
    assert picture(tmp_path) == [
        "07070707 unknown 1017000-1018000 files=1 spans=1 marks=0 snapshots=0",
        "5e5e5e5e unknown 9000000-9500000 files=1 spans=1 marks=0 snapshots=0",
    ]


def test_a_session_without_a_root_span_is_live_while_a_process_has_its_journal(tmp_path):
    spool, journal = tmp_path / ".cirron" / "spool", tmp_path / ".cirron" / "journal"
    spool.mkdir(parents=True)
    journal.mkdir()
    put(spool, batch(1))
    put(spool, batch(2, session_id=OTHER_ID, pid=4243))
    with (journal / f"{SESSION_ID}.journal").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert {found.id[:2]: found.ended for found in sessions(tmp_path)} == {"5e": "live", "07": "unknown"}
    assert {found.id[:2]: found.ended for found in sessions(tmp_path)} == {"5e": "killed", "07": "unknown"}


def test_a_killed_session_has_a_root_span_without_an_end(tmp_path):
    put(tmp_path, batch(1, spans=[session_span(end_ns=None, attrs={"cirron.interrupted": True})]))
    assert [found.ended for found in sessions(tmp_path)] == ["killed"]


def test_batches_that_name_no_session_go_with_the_root_span_of_their_process(tmp_path):
    put(tmp_path, bare_batch(1, spans=[span(16, "step")]))
    put(tmp_path, bare_batch(2, marks=[mark(32, "loss", 0.5)]))
    put(tmp_path, bare_batch(3, spans=[session_span(attrs={})]))
    put(tmp_path, bare_batch(4, spans=[span(17, "step", parent_id=OTHER_ID)]))
    assert picture(tmp_path) == [
        "5e5e5e5e completed 1000000-2000000 files=3 spans=2 marks=1 snapshots=0",
        "pid-4242 unknown 1017000-1018000 files=1 spans=1 marks=0 snapshots=0",
    ]


def test_damaged_files_count_for_nothing(tmp_path):
    put(tmp_path, batch(1))
    put(tmp_path, b"{", f"{2:020d}-{2:032x}.json")
    assert [found.files for found in sessions(tmp_path)] == [1]
