"""What a person sees of a tree: at 10 spans, at 100,000, and when something went wrong."""

# ruff: noqa: RUF001 - a multiplication sign is meant

import re

import pytest

from cirron.tree import build, scopes_of, to_lines, to_text
from cirron.tree.filters import keep
from cirron.tree.outline import Outline
from cirron.tree.pick import named
from support.recording import MS, Recording, training


@pytest.fixture
def run():
    return Recording()


def picture(*recordings, **options):
    """What is drawn of a tree; of a single session it must be what is drawn from a stream of its batches."""
    batches = [recording.batch() for recording in recordings]
    drawn = to_text(scopes_of(build(batches)), **{"width": 100} | options).splitlines()
    if len(batches) == 1:
        outline = Outline(batches[0].session_id)
        outline.add(batches[0])
        outline.finish()
        assert to_text(outline.top, **{"width": 100} | options).splitlines() == drawn
    return drawn


def rows(count, name="step", parent="session", run=None):
    for number in range(count):
        run.span(name, number * 10, number * 10 + 5, parent=parent, index=number)


def test_a_small_tree_shows_durations_shares_marks_and_attributes(run):
    run.span("prepare", 0, 2.5, attrs={"path": "data.npz", "rows": 1797})
    epoch = run.span("epoch", 3, 103, index=0, gpu_ns=30 * MS, memory_peak_bytes=1_500_000_000)
    for step, loss in enumerate([1.0, 0.5, 0.25, 0.125]):
        run.mark(epoch, "loss", loss, at=10 + step)
    run.mark(epoch, "device", "cpu", at=20)
    run.span("forward", 4, 80, parent=epoch)
    run.span("backward", 80, 102, parent=epoch)
    run.session(0, 120, attrs={"cirron.ended": "completed"})
    assert picture(run) == [
        "cirron.session   120 ms",
        "├─ prepare      2.50 ms  ▎            2 %  path=data.npz  rows=1797",
        "└─ epoch[0]      100 ms  ████████▍   83 %  gpu 30.0 ms  peak 1.50 GB  loss 0.125 █▄▂▁  device cpu",
        "   ├─ forward   76.0 ms  ███████▋    76 %",
        "   └─ backward  22.0 ms  ██▎         22 %",
    ]


def requests(run):
    for number in range(12):
        function = "embed" if number % 2 else "Model.answer"
        run.span("request", number, number + 1, attrs={"function": function, "request_id": f"r-{number}"})
    run.session(0, 12)


def test_requests_are_told_apart_by_their_function(run):
    requests(run)
    assert picture(run) == [
        "cirron.session              12.0 ms",
        "├─ request Model.answer ×6  6.00 ms  █████       50 %  mean 1.00 ms  p95 1.00 ms",
        "└─ request embed ×6         6.00 ms  █████       50 %  mean 1.00 ms  p95 1.00 ms",
    ]


@pytest.mark.parametrize(
    ("name", "functions"),
    [("request", ["Model.answer", "embed"]), ("request embed", ["embed"]), ("embed", [])],
)
def test_requests_are_picked_all_together_or_by_their_function(run, name, functions):
    requests(run)
    tree = build([run.batch()])
    expected = [f"request {function}" for function in functions]
    assert [scope.name for scope in named(scopes_of(tree), name, 1).in_order()] == expected
    assert [scope.name for scope in scopes_of(keep(tree, name=name)).in_order()] == expected


def test_ten_steps_become_one_line_and_their_merged_children_show_the_shape(run):
    for step in range(10):
        start = step * 10
        span = run.span("step", start, start + 5 + step / 2, index=step, attrs={"phase": "train", "n": step})
        run.span("forward", start, start + 2, parent=span)
        run.mark(span, "loss", 10 - step, at=start)
    run.span("checkpoint", 72, 74, parent=span, attrs={"to": "disk"})
    run.session(0, 100)
    assert picture(run, width=110) == [
        "cirron.session      100 ms",
        "└─ step ×10        72.5 ms  ███████▎    72 %  mean 7.25 ms  p95 9.50 ms  loss 1 ██▇▆▅▄▃▂▁▁  phase=train",
        "   ├─ forward ×10  20.0 ms  ██▊         28 %  mean 2.00 ms  p95 2.00 ms",
        "   └─ checkpoint   2.00 ms  ▎            3 %  to=disk",
    ]


def test_few_siblings_stand_one_by_one_and_one_more_folds_them(run):
    rows(5, run=run)
    assert len(picture(run)) == 6
    rows(1, run=run)
    assert len(picture(run)) == 2


def test_a_hundred_thousand_spans_fit_on_a_screen():
    run = training(epochs=3, steps=8_400)
    assert len(run.spans) > 100_000
    lines = picture(run, width=110)
    assert len(lines) == 19
    assert lines[:7] == [
        "cirron.session             5 min 28 s                     recording cost <0.01 %",
        "├─ epoch[0]                1 min 49 s  ███▍         33 %  accuracy 0.8",
        "│  ├─ step ×8,400          1 min 49 s  ██████████  100 %  mean 13.0 ms  p95 15.0 ms  loss 0.000119 █▁▁▁▁▁▁▁▁▁",
        "│  │  ├─ data_load ×8,400      25.2 s  ██▎          23 %  mean 3.00 ms  p95 5.00 ms",
        "│  │  ├─ forward ×8,400        33.6 s  ███▏         31 %  mean 4.00 ms  p95 4.00 ms",
        "│  │  └─ backward ×8,400       50.4 s  ████▋        46 %  mean 6.00 ms  p95 6.00 ms",
        "│  └─ evaluate                20.0 ms  ▏            <1 %",
    ]


def test_the_shortest_of_too_many_names_are_counted(run):
    for number in range(30):
        layer = run.span(f"layer{number}", number * 10, number * 10 + 1 + number)
        run.span("kernel", number * 10, number * 10 + 1, parent=layer)
    run.session(0, 400)
    lines = picture(run, depth=1)
    assert len(lines) == 22
    assert lines[1] == "├─ layer10          11.0 ms  ▎            3 %  1 span below"
    assert lines[-1] == "└─ … 10 more names  55.0 ms  █▍          14 %  20 spans not shown"


def test_a_short_span_that_failed_is_not_lost_among_many_names(run):
    for number in range(30):
        run.span(f"layer{number}", number * 10, number * 10 + 5)
    run.span("failed", 300, 301, attrs={"error": "ValueError"})
    run.span("open", 301, None)
    run.session(0, None)
    labels = [line.split()[1] for line in picture(run)]
    assert {"failed", "open"} <= set(labels)
    assert len(labels) == 22


def test_the_last_line_counts_what_a_picture_has_no_room_for(run):
    for outer in range(20):
        parent = run.span(f"outer{outer}", outer * 100, outer * 100 + 90)
        for middle in range(20):
            span = run.span(f"middle{middle}", outer * 100 + middle, outer * 100 + 80, parent=parent)
            for inner in range(4):
                run.span(f"inner{inner}", outer * 100 + middle, outer * 100 + 70, parent=span)
    run.session(0, 2000)
    lines = picture(run)
    assert len(lines) == 1001
    assert lines[-1] == "… and 1,021 spans more: look at a part (name, last) or at fewer levels (depth)"


def test_a_depth_cuts_the_tree_and_counts_what_is_below():
    assert picture(training(3, 200), depth=1) == [
        "cirron.session  7.86 s                    recording cost <0.01 %",
        "├─ epoch[0]     2.62 s  ███▍        33 %  accuracy 0.8  801 spans below",
        "├─ epoch[1]     2.62 s  ███▍        33 %  accuracy 0.85  801 spans below",
        "└─ epoch[2]     2.62 s  ███▍        33 %  accuracy 0.9  801 spans below",
    ]


def test_what_a_kill_cut_off_is_interrupted_and_took_at_least_so_long():
    run = Recording(recovered=True)
    epoch = run.span("epoch", 0, None, index=0, attrs={"cirron.interrupted": True})
    run.span("batch", 0, 5, parent=epoch, index=0)
    run.session(0, None, attrs={"cirron.ended": "killed", "cirron.interrupted": True})
    assert picture(run) == [
        "cirron.session  ≥ 5.00 ms                     ended: killed",
        "└─ epoch[0]     ≥ 5.00 ms  ██████████  100 %  interrupted",
        "   └─ batch[0]    5.00 ms  ██████████  100 %",
    ]


def test_what_goes_on_is_still_open(run):
    run.span("epoch", 0, None, index=0)
    run.session(0, None)
    run.span("prepare", 0, 5)
    assert picture(run)[:2] == [
        "cirron.session  ≥ 5.00 ms                     still open",
        "├─ epoch[0]     ≥ 5.00 ms  ██████████  100 %  still open",
    ]


def test_errors_are_named_and_counted_in_a_fold(run):
    for step, error in enumerate(["ValueError", None, "ValueError", "OSError", "KeyError", None, None]):
        run.span("step", step, step + 1, attrs={"error": error} if error else {})
    run.span("epoch", 8, 9, attrs={"error": "KeyboardInterrupt"})
    assert picture(run, width=110)[1:] == [
        "├─ step ×7        7.00 ms  ███████▊    78 %  2 × ValueError  1 × KeyError  1 other error  mean 1.00 ms  +1",
        "└─ epoch          1.00 ms  █▏          11 %  KeyboardInterrupt",
    ]


def test_an_error_is_red_and_a_name_is_bold(run):
    run.session(0, 10)
    run.span("epoch", 0, 5, attrs={"error": "ValueError"})
    styles = {
        (line.plain[s.start : s.end], s.style)
        for line in to_lines(scopes_of(build([run.batch()])))
        for s in line.spans
    }
    assert {("cirron.session", "bold"), ("epoch", "bold red"), ("ValueError", "bold red")} <= styles


def test_several_sessions_are_told_apart():
    first, second = Recording("a" * 32), Recording("b" * 32)
    first.session(0, 1)
    second.session(2, 5)
    assert picture(first, second) == [
        "cirron.session  1.00 ms  session aaaaaaaa",
        "cirron.session  3.00 ms  session bbbbbbbb",
    ]


def test_the_cost_of_recording_stands_on_the_session_and_counts_nothing_twice(run):
    epoch = run.span("epoch", 0, 100)
    step = run.span("step", 0, 50, parent=epoch)
    run.mark(step, "cirron.overhead_ns", 10_000, kind="summary")
    run.mark(epoch, "cirron.overhead_ns", 20_000, kind="summary")
    assert picture(run) == [
        "cirron.session  ≥ 100 ms                     still open  recording cost 0.02 %",
        "└─ epoch          100 ms  ██████████  100 %",
        "   └─ step       50.0 ms  █████        50 %",
    ]


def test_the_cost_of_recording_on_other_threads_counts_too(run):
    epoch = run.span("epoch", 0, 100)
    run.mark(epoch, "cirron.overhead_ns", 1_000, kind="summary")
    for _ in range(2):
        worker = run.span("worker", 0, 100, parent=epoch)
        run.mark(worker, "cirron.overhead_ns", 10_000, kind="summary")
    run.session(0, 100)
    assert picture(run)[0] == "cirron.session  100 ms                     recording cost 0.02 %"


def test_threads_at_work_together_take_more_than_their_parent(run):
    rows(8, name="worker", run=run)
    run.session(0, 20)
    assert picture(run)[1] == "└─ worker ×8    40.0 ms  ██████████  200 %  mean 5.00 ms  p95 5.00 ms"


def test_values_that_are_not_finite_or_not_there_are_shown_as_such(run):
    run.mark(run.session_id, "loss", None, value_nonfinite="nan")
    run.mark(run.session_id, "gone", None)
    run.mark(run.session_id, "done", value=True)
    run.session(0, 1)
    assert picture(run) == ["cirron.session  1.00 ms  loss nan  gone None  done True"]


def test_names_can_neither_move_the_cursor_nor_break_the_line(run):
    run.span("a\x1b[2J\nb\u202ec", 0, 1, attrs={"k\x07": "v\n"})
    run.session(0, 5)
    assert picture(run)[1] == r"└─ a\x1b[2J\nb\u202ec  1.00 ms  ██          20 %  k\x07=v\n"


def test_wide_characters_keep_the_columns_aligned(run):
    run.span("训练", 0, 1)
    run.span("prepare", 1, 2)
    run.session(0, 2)
    assert picture(run)[1:] == [
        "├─ 训练         1.00 ms  █████       50 %",
        "└─ prepare      1.00 ms  █████       50 %",
    ]


@pytest.mark.parametrize("width", [1, 10, 20, 40, 59, 60, 80, 99, 100, 160])
def test_no_line_is_wider_than_the_page(width):
    run = training(3, 30)
    run.span("a name much too long for any column that one would like to read", 0, 1, attrs={"k": "v" * 500})
    assert max(map(len, picture(run, width=width))) <= width


def test_a_narrow_page_counts_the_facts_it_left_out(run):
    run.span("prepare", 0, 2.5, attrs={"path": "data.npz", "rows": 1797, "seed": 0})
    run.session(0, 100)
    assert picture(run, width=50)[1] == "└─ prepare      2.50 ms  2 %  path=data.npz  +2"


def test_a_page_without_room_for_a_course_still_has_the_value(run):
    for value in range(10):
        run.mark(run.session_id, "loss", value, at=value)
    run.session(0, 100)
    assert picture(run, width=35) == ["cirron.session  100 ms  loss 9"]


def test_deep_trees_end_in_a_count(run):
    parent = run.session_id
    for level in range(200):
        parent = run.span("level", level, 400 - level, parent=parent)
    run.session(0, 401)
    lines = picture(run)
    assert len(lines) == 65
    assert lines[-1].endswith("136 spans below")


def test_colours_change_nothing_but_the_colours():
    tree = scopes_of(build([training(3, 20).batch()]))
    coloured = to_text(tree, width=100, color=True)
    assert "\x1b[" in coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == to_text(tree, width=100).splitlines()


def test_nothing_is_said_to_be_nothing():
    assert picture() == ["nothing recorded"]


def test_what_a_loop_waited_for_its_data_is_told(run):
    for step in range(10):
        start = step * 10
        run.span("batch", start, start + 10, index=step, attrs={"data_load_ns": 6 * MS})
    run.span("batch", 100, None, attrs={"data_load_ns": 6 * MS})
    run.session(0, 105)
    assert picture(run)[1].endswith("1 still open  data wait 60.0 ms  mean 10.0 ms  +1")


def test_a_little_waiting_for_data_comes_after_the_marks(run):
    batch = run.span("batch", 0, 100, index=0, attrs={"data_load_ns": 6 * MS})
    run.mark(batch, "loss", 0.5)
    run.session(0, 100)
    assert picture(run)[1].endswith("loss 0.5  data wait 6.00 ms")


def test_the_bar_is_red_where_most_of_the_time_went(run):
    epoch = run.span("epoch", 0, 900, index=0)
    run.span("forward", 0, 500, parent=epoch)
    run.span("backward", 500, 700, parent=epoch)
    run.session(0, 1000)
    lines = to_lines(scopes_of(build([run.batch()])))
    red = [line.plain.split()[1] for line in lines if any(span.style == "red" for span in line.spans)]
    assert red == ["forward"]


def test_a_name_that_is_cut_keeps_its_count_or_index(run):
    rows(1_200, name="a_name_of_some_length", run=run)
    run.span("another_name_of_some_length", 0, 1, index=17)
    run.session(0, 12_000)
    assert picture(run, width=40)[1:] == [
        "├─ another_name…[17]  1.00 ms  <1 %",
        "└─ a_name_of… ×1,200   6.00 s  50 %  +2",
    ]


def test_lines_too_deep_for_the_page_tell_how_deep_they_are(run):
    parent = run.session_id
    for level in range(20):
        parent = run.span(f"level_{level}", level, 400 - level, parent=parent)
    run.session(0, 401)
    lines = picture(run, width=60)
    assert lines[4].startswith("         └─ level_3")
    assert lines[20].startswith("…20      └─ level_19")


def test_without_a_width_nothing_is_cut(run):
    name, note = "n" * 200, "v" * 300
    run.span(name, 0, 1, attrs={"note": note, "seed": 1})
    run.session(0, 5)
    assert picture(run, width=None)[1] == f"└─ {name}  1.00 ms  ██          20 %  note={note}  seed=1"


def test_a_long_value_is_cut_where_there_is_no_room_for_it(run):
    run.span("prepare", 0, 1, attrs={"note": "v" * 300, "seed": 1})
    run.session(0, 5)
    assert picture(run)[1].endswith("  note=" + "v" * 39 + "…  seed=1")


def test_a_name_of_nothing_can_be_seen(run):
    run.span("", 0, 1)
    run.span("  ", 1, 2, index=3)
    run.session(0, 5)
    assert [line.split("  1.00")[0].rstrip() for line in picture(run)[1:]] == ["├─ ''", "└─ '  '[3]"]


def test_an_error_is_rather_cut_than_left_out(run):
    run.span("forward", 0, 1, attrs={"error": "VeryUnusualDistributedError"})
    run.session(0, 5)
    assert picture(run, width=50)[1] == "└─ forward      1.00 ms  20 %  VeryUnusualDistrib…"
