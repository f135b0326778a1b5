"""What a run's picture comes down to: the scope to look at first, the rank that lags, the place where it ended."""

import pytest

from cirron.spool import glance, read, runs
from cirron.tree import outline_run
from cirron.tree.hottest import hottest
from cirron.tree.last_place import last_place
from cirron.tree.outline import Outline
from cirron.tree.slow_rank import slow_rank
from support.recording import MS, Recording


@pytest.fixture
def run():
    return Recording()


def top_of(recording):
    outline = Outline(recording.session_id)
    outline.add(recording.batch())
    outline.finish()
    return outline.top


def ranks(spool, **forward_ms):
    """A run of ranks that differ in how long they are in forward, and wait for each other in backward."""
    slowest_ms = max(forward_ms.values())
    for number, took_ms in enumerate(forward_ms.values()):
        run = Recording(
            f"{number + 1:x}" * 32, id_head=number, rank=number, world_size=len(forward_ms), run_id="r"
        )
        epoch = run.span("epoch", 0, 1_000 + slowest_ms, index=0)
        run.span("forward", 0, took_ms, parent=epoch)
        run.span("backward", took_ms, slowest_ms + 500, parent=epoch)
        run.session(0, 1_000 + slowest_ms)
        run.write(spool, number + 1)
    reader = read(spool)
    return outline_run(reader, runs(glance(reader))[-1]).top


# ---- where the time went ----


def test_the_path_with_the_most_time_itself_is_told_whatever_stands_one_by_one(run):
    for number in range(3):
        epoch = run.span("epoch", number * 100, number * 100 + 90, index=number)
        run.span("forward", number * 100, number * 100 + 40, parent=epoch)
    run.session(0, 300)
    assert hottest(top_of(run)) == "50 % of the time (150 ms) is in epoch itself"


def test_time_in_the_data_loader_is_told_of_the_loop_that_waited(run):
    for number in range(10):
        batch = run.span("batch", number * 100, number * 100 + 95, attrs={"data_load_ns": 60 * MS})
        run.span("forward", number * 100 + 60, number * 100 + 90, parent=batch)
    run.session(0, 1000)
    assert (
        hottest(top_of(run))
        == "65 % of the time (650 ms) is in batch itself: 600 ms of it waiting for the data loader"
    )


def test_waiting_that_lies_in_scopes_of_its_own_is_told_by_these(run):
    for number in range(10):
        batch = run.span("batch", number * 100, number * 100 + 95, attrs={"data_load_ns": 60 * MS})
        run.span("decode", number * 100, number * 100 + 60, parent=batch)
    run.session(0, 1000)
    assert hottest(top_of(run)) == "60 % of the time (600 ms) is in batch / decode itself"


def test_a_run_in_which_nothing_stands_out_is_not_judged(run):
    for number in range(10):
        run.span(f"part{number}", number * 100, number * 100 + 100)
    run.session(0, 1000)
    assert hottest(top_of(run)) is None


# ---- ranks ----


def test_the_rank_that_holds_up_the_others_is_told_with_the_scope(tmp_path):
    top = ranks(tmp_path / "spool", a=100, b=110, c=700, d=105)
    assert slow_rank(top) == "rank 2 spent 595 ms more than the median rank in epoch / forward"


def test_ranks_that_differ_by_a_little_are_not_told(tmp_path):
    assert slow_rank(ranks(tmp_path / "spool", a=500, b=510, c=530)) is None


def test_a_single_process_has_no_slow_rank(run):
    run.session(0, 1000)
    assert slow_rank(top_of(run)) is None


# ---- where it ended ----


def test_a_killed_run_is_told_with_the_innermost_scope_it_was_in():
    run = Recording(recovered=True)
    cut_off = {"cirron.interrupted": True}
    epoch = run.span("epoch", 0, None, index=3, attrs=cut_off)
    for number in range(10):
        ended = number * 10 + 10 if number < 9 else None
        batch = run.span(
            "batch", number * 10, ended, parent=epoch, index=number, attrs={} if ended else cut_off
        )
        run.span("forward", number * 10, ended, parent=batch, attrs={} if ended else cut_off)
    run.session(0, None, attrs={"cirron.ended": "killed"} | cut_off)
    assert last_place(top_of(run)) == "The run ended in epoch[3] / batch / forward (killed)"


@pytest.mark.parametrize(
    ("ended", "error"), [("exception: ValueError", "ValueError"), ("signal: SIGINT", "KeyboardInterrupt")]
)
def test_a_failed_run_is_told_with_the_scope_that_the_exception_came_from(run, ended, error):
    caught = run.span("epoch", 0, 10, index=0)
    run.span("backward", 0, 5, parent=caught, attrs={"error": error})
    epoch = run.span("epoch", 10, 20, index=1, attrs={"error": error})
    run.span("forward", 10, 20, parent=epoch, attrs={"error": error})
    run.session(0, 20, attrs={"cirron.ended": ended})
    assert last_place(top_of(run)) == f"The run ended in epoch[1] / forward ({ended})"


def test_a_run_that_completed_or_goes_on_has_no_last_place(run):
    run.span("epoch", 0, 10, index=0, attrs={"error": "ValueError"})
    run.session(0, 20, attrs={"cirron.ended": "completed"})
    assert last_place(top_of(run)) is None
    alive = Recording()
    alive.span("epoch", 0, None, index=0)
    alive.session(0, None)
    assert last_place(top_of(alive)) is None


def test_of_several_ranks_the_killed_ones_are_counted(tmp_path):
    for number in range(3):
        run = Recording(f"{number + 1:x}" * 32, id_head=number, rank=number, world_size=3, run_id="r")
        cut_off = {"cirron.interrupted": True} if number == 1 else {}
        run.span("epoch", 0, None if cut_off else 100, index=0, attrs=cut_off)
        run.session(
            0,
            None if cut_off else 100,
            attrs=cut_off | {"cirron.ended": "killed" if cut_off else "completed"},
        )
        run.write(tmp_path / "spool", number + 1)
    reader = read(tmp_path / "spool")
    top = outline_run(reader, runs(glance(reader))[-1]).top
    assert last_place(top) == "1 of 3 ranks ended in epoch (killed)"


def test_tasks_beside_each_other_share_the_time_of_the_scope_around_them():
    run = Recording()
    gather = run.span("gather", 0, 300)
    for _ in range(10):
        run.span("task", 0, 300, parent=gather)
    run.span("step", 300, 1000)
    run.session(0, 1000)
    assert hottest(top_of(run)) == "70 % of the time (700 ms) is in step itself"


def test_a_task_that_outlives_its_scope_takes_nothing_from_it_afterwards():
    run = Recording()
    for number in range(2):
        step = run.span("step", number * 500, number * 500 + 400, index=number)
        run.span("upload", number * 500 + 390, number * 500 + 900, parent=step)
    run.session(0, 1500)
    assert hottest(top_of(run)) == "52 % of the time (780 ms) is in step itself"
