"""Which sessions of a spool belong together."""

import pytest

from cirron.spool import Session, glance, read, runs, summarize
from support.recording import Recording, training

S = 1_000_000_000


def session(name, start=0, end=10, **fields):
    return Session(name, started_ns=start * S, last_ns=end * S, **fields)


def rank(name, number, start=0, end=10, run_id=None, world_size=2, **fields):
    return session(name, start, end, rank=number, world_size=world_size, run_id=run_id, **fields)


def grouped(*sessions):
    return [([each.id for each in run.ranks], [each.id for each in run.workers]) for run in runs(sessions)]


def test_processes_that_have_nothing_to_do_with_each_other_are_runs_of_their_own():
    assert grouped(
        session("b", 1), session("a", 0), session("c", 1, run_id="r"), session("d", 2, run_id="r")
    ) == [
        (["a"], []),
        (["b"], []),
        (["c"], []),
        (["d"], []),
    ]


def test_ranks_with_one_run_id_are_a_run_in_the_order_of_their_ranks():
    assert grouped(rank("one", 1, 0, run_id="x"), rank("zero", 0, 50, 60, run_id="x")) == [
        (["zero", "one"], [])
    ]


def test_ranks_without_a_run_id_are_a_run_if_they_ran_at_the_same_time():
    assert grouped(rank("a", 0, 0, 10), rank("b", 1, 5, 12), rank("c", 0, 20, 30), rank("d", 1, 21, 30)) == [
        (["a", "b"], []),
        (["c", "d"], []),
    ]


def test_a_rank_that_comes_again_begins_another_run():
    assert grouped(
        *(
            rank(name, number, start, run_id="x")
            for name, number, start in [("a0", 0, 0), ("a1", 1, 0), ("b0", 0, 5), ("b1", 1, 5)]
        )
    ) == [
        (["a0", "a1"], []),
        (["b0", "b1"], []),
    ]


def test_worlds_of_different_sizes_are_different_runs():
    assert len(grouped(rank("a", 0, run_id="x"), rank("b", 1, run_id="x", world_size=4))) == 2


def test_workers_and_their_workers_go_with_the_process_that_made_them():
    assert grouped(
        session("main"),
        session("w0", 1, worker="0", parent_session_id="main"),
        session("w00", 2, worker="Process-1", parent_session_id="w0"),
        session("other", 3),
    ) == [(["main"], ["w0", "w00"]), (["other"], [])]


def test_a_worker_may_have_begun_before_the_first_record_of_its_parent():
    assert grouped(session("main", 5), session("w", 1, worker="0", parent_session_id="main")) == [
        (["main"], ["w"])
    ]


def test_a_worker_whose_parent_is_not_there_is_a_run_of_its_own():
    assert grouped(session("w", worker="0", parent_session_id="gone")) == [(["w"], [])]


def test_ranks_that_another_process_spawned_are_ranks():
    spawned = [rank(f"r{n}", n, 1, worker=f"SpawnProcess-{n}", parent_session_id="launcher") for n in (0, 1)]
    assert grouped(session("launcher"), *spawned) == [(["launcher"], []), (["r0", "r1"], [])]


def test_parents_in_a_ring_are_one_run_and_end():
    ring = [session("a", worker="0", parent_session_id="b"), session("b", worker="1", parent_session_id="a")]
    assert grouped(*ring) == [(["a"], ["b"])]


@pytest.mark.parametrize("written", ["by cirron", "by a writer that names no session"])
def test_at_a_glance_the_same_sessions_are_found(tmp_path, written):
    if written == "by cirron":
        training(1, 2).write(tmp_path, 1)
        Recording("ab" * 16).write(tmp_path, 2)
    else:
        nameless = Recording(None)
        nameless.span("cirron.session", 0, 1, parent=None, id="cd" * 16)
        nameless.write(tmp_path, 3)
    assert (
        {each.id for each in glance(read(tmp_path))}
        == {each.id for each in summarize(read(tmp_path))}
        != set()
    )


def test_at_a_glance_damaged_files_are_passed_over(tmp_path):
    training(1, 1).write(tmp_path, 1)
    (tmp_path / f"{2:020}-{2:032x}.json").write_text('{"session_id": 7}')
    (tmp_path / f"{3:020}-{3:032x}.json").write_bytes(b"\xff")
    assert [each.files for each in glance(read(tmp_path))] == [1]


def test_each_of_very_many_single_processes_is_a_run_of_its_own_without_a_look_at_the_others():
    looked_at = []

    class Watched(Session):
        def __getattribute__(self, name):
            if name == "run_id":
                looked_at.append(self)
            return super().__getattribute__(name)

    runs(Watched(f"{number:032x}", started_ns=number) for number in range(300))
    assert len(looked_at) <= 2 * 300
