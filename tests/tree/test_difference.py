"""Two runs compared: what counts as a change, what as noise, and how it is shown."""

import itertools
import random
from pathlib import Path

import pytest

from cirron.diff import compare, conclusion, times_of, to_lines
from cirron.diff.noise import shift
from cirron.diff.student import t_beyond
from cirron.spool import glance, read, runs
from cirron.tree.flat import DEEPEST
from cirron.tree.path_text import shortened
from support.noisy_runs import noisy_run
from support.recording import Recording

numbers = itertools.count(1)


def times(*recordings):
    """The times of the newest run that these sessions make up."""
    spool = Path(f"run-{next(numbers)}", ".cirron", "spool")
    for number, recording in enumerate(recordings, 1):
        recording.write(spool, number)
    run = runs(glance(read(spool)))[-1]
    reader = read(spool, [session.id for session in run.sessions])
    return times_of(reader, run)


def spans(name, *walls_ms, **of_recording):
    """A session of spans one after the other."""
    recording, clock = Recording(**of_recording), 0.0
    for wall_ms in walls_ms:
        recording.span(name, clock, clock + wall_ms)
        clock += wall_ms
    recording.session(0, clock, attrs={"cirron.ended": "completed"})
    return recording


def change_of(difference, *path):
    (found,) = [change for change in difference.changes if change.path == path]
    return found


def paths(changes):
    return [" / ".join(change.path) for change in changes]


# ---- samples ----


SHAPES = {  # of samples as scopes have them: the noise, the position in time, and a level that neighbours share
    "even": lambda noise, position, level: noise.gauss(100, 10),
    "skewed": lambda noise, position, level: 100 * noise.lognormvariate(0, 0.5),
    "heavy-tailed": lambda noise, position, level: 100 * noise.paretovariate(1.5),
    "correlated": lambda noise, position, level: 100 * noise.lognormvariate(0.2 * level, 0.05),
    "drifting": lambda noise, position, level: (100 + 20 * position) * noise.gauss(1, 0.1),
    "warming up": lambda noise, position, level: noise.gauss(100, 5) * (1 if position else 50),
    "stalling": lambda noise, position, level: noise.gauss(100, 5) * (20 if noise.random() < 0.01 else 1),
}


def durations(shape, count, noise, factor=1.0):
    """A sample in the order of time."""
    level = noise.gauss(0, 1)
    walls_ns = []
    for position in range(count):
        level = 0.5 * level + 0.75**0.5 * noise.gauss(0, 1)
        walls_ns.append(round(1000 * factor * SHAPES[shape](noise, position / count, level)))
    return walls_ns


@pytest.mark.parametrize("counts", [(60, 60), (60, 400), (400, 60)])
@pytest.mark.parametrize("shape", SHAPES)
def test_equal_samples_rarely_differ_beyond_noise(shape, counts):
    noise = random.Random(f"{shape} {counts}")
    rounds = 200
    alarms = 0
    for _ in range(rounds):
        found = shift(tuple(durations(shape, count, noise) for count in counts))
        alarms += abs(found.after_ns - found.before_ns) > found.noise_ns(0.95)
    assert alarms / rounds <= 0.10  # 5 % are meant, and 200 rounds tell that to about 3 %


@pytest.mark.parametrize("shape", ["even", "correlated", "drifting", "warming up", "stalling"])
def test_a_fifth_more_is_found(shape):
    noise = random.Random(shape)
    rounds = 50
    found = 0
    for _ in range(rounds):
        told = shift((durations(shape, 300, noise), durations(shape, 300, noise, factor=1.2)))
        found += told.after_ns - told.before_ns > told.noise_ns(0.95)
    assert found / rounds >= 0.7


def test_a_single_stall_is_no_change_of_the_typical_duration():
    steady = [1000, 1010, 990, 1005, 995] * 8
    found = shift((steady, [*steady, 1_000_000]))
    assert abs(found.after_ns - found.before_ns) < found.noise_ns(0.95)


def test_durations_that_do_not_vary_leave_no_noise():
    found = shift(([10] * 50, [12] * 7))
    assert (found.before_ns, found.after_ns, found.noise_ns(0.95)) == (10, 12, 0)


def test_the_order_of_time_may_be_either():
    noise = random.Random(1)
    a, b = durations("correlated", 200, noise), durations("correlated", 300, noise)
    forwards, backwards = shift((a, b)), shift((a[::-1], b[::-1]))
    assert backwards.noise_ns(0.95) == pytest.approx(forwards.noise_ns(0.95), rel=0.2)


@pytest.mark.parametrize(
    ("outside", "freedom", "t"),  # from printed tables
    [(0.05, 2, 4.303), (0.05, 10, 2.228), (0.01, 5, 4.032), (0.001, 20, 3.850), (0.05, 100, 1.984)],
)
def test_t_is_that_of_the_tables(outside, freedom, t):
    assert t_beyond(outside, freedom) == pytest.approx(t, abs=0.0006)


# ---- runs ----


def test_equal_runs_raise_few_alarms_however_many_scopes_they_have():
    alarms = arrows = 0
    for seed in range(0, 200, 2):
        difference = compare(times(noisy_run(seed, steps=20)), times(noisy_run(seed + 1, steps=20)))
        alarms += bool(difference.regressions(0.1))
        arrows += any(change.is_beyond_noise for change in difference.changes)
    assert alarms <= 5
    assert arrows <= 10  # 5 are meant


def test_a_planted_slow_down_is_found_in_nearly_every_run():
    found = 0
    for seed in range(0, 40, 2):
        slow = noisy_run(seed + 1, slower={"forward": 1.2}, warm_up=50)
        difference = compare(times(noisy_run(seed, warm_up=50)), times(slow))
        found += "epoch / step / forward" in paths(difference.regressions(0.1))
    assert found >= 19


def test_scopes_are_sorted_by_what_they_added_to_the_run():
    difference = compare(times(noisy_run(1)), times(noisy_run(2, slower={"backward": 2, "data_load": 3})))
    assert paths(difference.changes)[:2] == ["epoch / step / backward", "epoch / step / data_load"]
    added_ns = sum(change.contribution_ns for change in difference.changes)
    assert added_ns == pytest.approx(difference.change_ns)


def test_a_scope_contributes_what_is_its_own():
    """The time of the inner scope is not counted again in the outer one."""

    def nested(inner):
        recording = Recording()
        step = recording.span("step", 0, 10 + inner)
        recording.span("forward", 5, 5 + inner, parent=step)
        recording.session(0, 10 + inner)
        return recording

    difference = compare(times(nested(10)), times(nested(30)))
    assert {change.path: change.contribution_ns for change in difference.changes} == {
        ("step", "forward"): 20e6,
        ("step",): 0,
        ("cirron.session",): 0,
    }


def test_scopes_of_one_run_only_are_new_or_gone():
    difference = compare(times(spans("load", 5)), times(spans("fetch", 7)))
    lines = [line.plain.split() for line in to_lines(difference)]
    assert lines[1:3] == [
        ["fetch", "0", "→", "1", "-", "7.00", "ms", "new", "+7.00", "ms", "350", "%"],
        ["load", "1", "→", "0", "5.00", "ms", "-", "gone", "-5.00", "ms", "-250", "%"],
    ]


def test_four_spans_are_too_few_to_tell():
    difference = compare(times(spans("step", 1, 2, 1, 2)), times(spans("step", *[9, 8] * 10)))
    change = change_of(difference, "step")
    assert (change.shift, change.is_beyond_noise, change.before_ns) == (None, False, 1.5e6)
    assert "too few to tell" in to_lines(difference)[1].plain
    assert not difference.regressions(0.1)


def test_what_takes_less_than_a_hundredth_of_the_run_is_no_regression():
    def with_tiny(tiny_ms):
        recording = spans("step", *[10] * 20)
        for position in range(20):
            recording.span("tiny", position, position + tiny_ms)
        return recording

    difference = compare(times(with_tiny(0.01)), times(with_tiny(0.05)))
    assert change_of(difference, "tiny").is_beyond_noise
    assert difference.regressions(0.1) == []


def test_growth_from_nothing_is_a_regression():
    difference = compare(times(spans("step", *[0] * 9)), times(spans("step", *[3] * 9)))
    assert paths(difference.regressions(0.1)) == ["step"]
    assert "from 0" in to_lines(difference)[1].plain


def test_growth_up_to_the_limit_is_accepted():
    difference = compare(times(spans("step", *[10] * 9)), times(spans("step", *[12] * 9)))
    assert difference.regressions(0.2) == []
    assert paths(difference.regressions(0.19)) == ["step"]


def test_spans_without_an_end_count_in_no_mean():
    cut_off = Recording()
    for position in range(6):
        cut_off.span("step", position, position + 1)
    cut_off.span("step", 6, None, attrs={"cirron.interrupted": True})
    cut_off.span("late", 90, 100)
    difference = compare(times(spans("step", *[1] * 6)), times(cut_off))
    change = change_of(difference, "step")
    assert (change.after.count, change.after_ns) == (7, 1e6)
    assert conclusion(difference).startswith(
        "B has no regular end, so compare the scopes, not the runs (6.00 ms → ≥ 100 ms)"
    )


def test_the_time_of_several_ranks_is_their_mean():
    def rank(number):
        whose = dict(session_id=f"{number:032x}", run_id="r", rank=number, world_size=4, id_head=9 + number)
        return spans("step", *[10] * 10, **whose)

    whole = times(*(rank(number) for number in range(4)))
    assert (whole.rank_count, whole.run_ns) == (4, 100e6)
    assert compare(times(spans("step", *[10] * 10)), whole).change_ns == 0


def test_ranks_that_differ_from_each_other_are_no_noise():
    def ranks(first_seed, slower):
        return [
            noisy_run(
                first_seed + rank,
                rank=rank,
                world_size=4,
                run_id="r",
                slower={"data_load": slower * (3 if rank == 2 else 1)},
            )
            for rank in range(4)
        ]

    difference = compare(times(*ranks(10, 1)), times(*ranks(20, 1.3)))
    assert paths(difference.regressions(0.1)) == ["epoch / step / data_load"]
    alone = compare(times(*ranks(10, 1)), times(noisy_run(20)))
    assert alone.regressions(0.1) == []


def test_workers_run_beside_the_run():
    def with_worker(fetch_ms):
        main = spans("step", *[10] * 10, session_id="aa" * 16)
        worker = spans(
            "fetch",
            *[fetch_ms] * 10,
            session_id="bb" * 16,
            worker="0",
            parent_session_id="aa" * 16,
            id_head=7,
        )
        return times(main, worker)

    difference = compare(with_worker(3), with_worker(6))
    assert ("workers",) in difference.before.scopes
    change = change_of(difference, "workers", "fetch")
    assert (difference.change_ns, change.contribution_ns, change.growth) == (0, 0, 1)


def test_a_name_limits_the_comparison_to_what_is_below():
    difference = compare(times(noisy_run(1)), times(noisy_run(2)), name="step")
    assert sorted(paths(difference.changes)) == [
        "epoch / step",
        "epoch / step / backward",
        "epoch / step / data_load",
        "epoch / step / forward",
    ]


def test_a_chain_of_spans_without_end_is_cut_where_no_recorder_gets():
    chain, parent = Recording(), "session"
    for depth in range(2000):
        parent = chain.span("inner", depth, 4000 - depth, parent=parent)
    chain.session(0, 4000)
    found = times(chain)
    assert max(map(len, found.scopes)) == DEEPEST + 2
    assert sum(scope.share_ns for scope in found.scopes.values()) == pytest.approx(found.run_ns)


# ---- words and tables ----


def test_the_conclusion_names_what_made_most_of_the_change():
    difference = compare(times(spans("load", *[10] * 10)), times(spans("load", *[12] * 10)))
    assert conclusion(difference) == (
        "B is 20 % slower than A (100 ms → 120 ms); most of it: load (+20.0 ms, 100 %)"
    )


def test_the_conclusion_tells_that_a_scope_ran_more_often():
    difference = compare(times(spans("load", *[10] * 10)), times(spans("load", *[10] * 20)))
    assert conclusion(difference).endswith("load (+100 ms, 100 %, which ran 20 times instead of 10)")


def test_the_conclusion_tells_that_the_change_may_be_chance():
    before, after = spans("load", *[8, 8, 12, 12] * 5), spans("load", *[8, 8, 13, 13] * 5)
    assert conclusion(compare(times(before), times(after))) == (
        "B is 5 % slower than A (200 ms → 210 ms); most of it: load (+10.0 ms, 100 %, within noise)"
    )


def test_the_conclusion_names_the_largest_part_where_none_is_most():
    def run(wall_ms):
        recording = Recording()
        for number in range(4):
            recording.span(f"scope {number}", number * wall_ms, (number + 1) * wall_ms)
        recording.session(0, 4 * wall_ms)
        return recording

    assert conclusion(compare(times(run(1)), times(run(2)))).endswith(
        "; largest part: scope 0 (+1.00 ms, 25 %)"
    )


def test_the_conclusion_of_equal_runs_counts_the_changed_scopes():
    difference = compare(times(spans("load", *[10] * 10)), times(spans("load", *[10] * 10)))
    assert conclusion(difference) == (
        "B took about as long as A (100 ms → 100 ms); none of 1 scope changed beyond noise"
    )


def test_the_table_has_a_line_for_each_scope():
    difference = compare(times(spans("load", *[10] * 10)), times(spans("load", *[12] * 10)))
    assert [line.plain for line in to_lines(difference)] == [
        "scope           count   before    after     change            noise  contribution",
        "load               10  10.0 ms  12.0 ms  ▲ +20.0 %           ±0.0 %      +20.0 ms  100 %",
        "cirron.session      1   100 ms   120 ms    +20.0 %  too few to tell          0 ns    0 %",
    ]


@pytest.mark.parametrize("width", range(60, 140, 4))
def test_no_line_is_wider_than_asked(width):
    a, b = times(noisy_run(1)), times(noisy_run(2, slower={"forward": 3}))
    assert max(line.cell_len for line in to_lines(compare(a, b), width=width)) <= width


def test_colour_is_on_the_change_and_nowhere_else():
    difference = compare(times(spans("load", *[10] * 10)), times(spans("load", *[12] * 10)))
    (style,) = to_lines(difference)[1].spans
    assert to_lines(difference)[1].plain[style.start : style.end] == "▲ +20.0 %"
    assert str(style.style) == "bold red"


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (40, "epoch / step / model / forward"),
        (27, "epoch / … / model / forward"),
        (26, "epoch / … / forward"),
        (15, "epoc…forward"),
        (1, "…"),
    ],
)
def test_the_middle_of_a_path_goes_first(cells, text):
    shown = shortened(("epoch", "step", "model", "forward"), cells)
    assert shown == text or (cells == 15 and len(shown) <= 15 and shown.endswith("forward"))


def test_names_cannot_command_the_terminal():
    difference = compare(times(spans("a\x1b[31m", 1)), times(spans("a\x1b[31m", 2)))
    assert "\x1b" not in "".join(line.plain for line in to_lines(difference)) + conclusion(difference)
