"""Scopes made of a stream of batches: the same as of all spans in memory, however they were cut into batches."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cirron.spool.records import Batch
from cirron.tree import build, scopes_of, to_text
from cirron.tree.flat import flat_rows
from cirron.tree.outline import Outline
from cirron.tree.scope import Scope
from support.recording import EPOCH_NS, MS, Recording


@st.composite
def sessions(draw):
    """Nested scopes in the order they close, as one thread records them, and some tasks that outlive theirs."""
    run = Recording()
    clock = iter(range(1, 10_000))
    names = ("epoch", "step", "forward")
    closing = []

    def scope(parent, depth):
        start, name = next(clock), names[draw(st.integers(0, 2))]
        span_id = next(run.ids)
        for _ in range(draw(st.integers(0, 7 if depth < 2 else 2 if depth < 3 else 0))):
            scope(span_id, depth + 1)
        if draw(st.booleans()):
            run.mark(span_id, "loss", draw(st.integers(0, 9)) / 4, at=next(clock))
        error = {"error": "ValueError"} if draw(st.integers(0, 9)) == 0 else {}
        run.span(name, start, next(clock), parent=parent, id=span_id, index=start, attrs=error)
        closing.append(run.spans.pop())

    for _ in range(draw(st.integers(1, 4))):
        scope(run.session_id, 0)
    detached = draw(st.lists(st.integers(0, len(closing) - 1), max_size=3))
    for position in detached:
        start = next(clock)
        run.span("task", start, next(clock), parent=closing[position].id)
        closing.append(run.spans.pop())
    if draw(st.booleans()):
        run.session(0, next(clock))
        closing.append(run.spans.pop())
    return closing, run.marks


def batches_of(spans, marks, cuts):
    """The records as so many batches; a mark is in the first batch that was sealed after it was made."""
    edges = sorted({min(cut, len(spans)) for cut in cuts} | {len(spans)})
    batches, begin, marked = [], 0, []
    for number, end in enumerate(edges):
        sealed_ns = max([EPOCH_NS, *(span.end_ns for span in spans[:end])])
        due = [
            mark for mark in marks if mark not in marked and (mark.ts_ns <= sealed_ns or end == len(spans))
        ]
        marked += due
        batches.append(
            Batch(
                schema_version=1,
                sdk_version="1",
                batch_id=f"{number:032x}",
                created_ns=sealed_ns + number,
                spans=spans[begin:end],
                marks=due,
                snapshots=[],
                session_id="5e" * 16,
            )
        )
        begin = end
    return batches


def streamed(batches, **options):
    """The top of an outline that was told the batches newest first, as a reader gives them."""
    outline = Outline(batches[0].session_id, **options)
    for number in reversed(range(len(batches))):
        outline.add(batches[number], batches[number - 1].created_ns if number else 0)
    outline.finish()
    return outline.top


@settings(max_examples=150)
@given(sessions(), st.lists(st.integers(0, 60), max_size=6))
def test_a_stream_in_any_pieces_gives_the_picture_of_the_whole(session, cuts):
    spans, marks = session
    batches = batches_of(spans, marks, cuts)
    assert to_text(streamed(batches)) == to_text(scopes_of(build(batches)))


@settings(max_examples=100)
@given(sessions(), st.randoms(use_true_random=False))
def test_the_order_of_the_batches_does_not_matter(session, shuffled):
    spans, marks = session
    batches = batches_of(spans, marks, range(0, 60, 5))
    outline = Outline(batches[0].session_id)
    for batch in shuffled.sample(batches, len(batches)):
        outline.add(batch)
    outline.finish()
    assert to_text(outline.top) == to_text(scopes_of(build(batches)))


@settings(max_examples=100)
@given(sessions())
def test_taken_together_every_path_is_one_scope_and_no_time_is_lost(session):
    spans, marks = session
    top = streamed(batches_of(spans, marks, [10, 20]), few=1)
    assert all(len(group) == 1 for scope in top.walk() for group in scope.children.values())
    assert sum(scope.ended_ns for scope in top.walk()) == sum(span.end_ns - span.start_ns for span in spans)
    assert sum(sum(scope.walls_ns) for scope in top.walk()) == sum(scope.ended_ns for scope in top.walk())


@pytest.fixture
def run():
    return Recording()


def pictured(run, *more, **options):
    return to_text(streamed([run.batch(), *more], **options), width=100).splitlines()


def test_spans_too_short_are_left_out_with_what_is_below_them_and_counted(run):
    long = run.span("step", 0, 10)
    short = run.span("step", 10, 11)
    run.span("forward", 1, 9, parent=long)
    run.span("inner", 2, 3, parent=long)
    run.span("forward", 10, 11, parent=short)
    run.session(0, 20)
    outline = Outline(run.session_id, min_wall_ns=2 * MS)
    outline.add(run.batch())
    outline.finish()
    assert outline.left_out_count == 3
    assert [scope.name for scope in outline.top.walk()] == ["", "cirron.session", "step", "forward"]


def test_what_belongs_to_a_span_that_is_left_out_is_left_out_even_if_it_came_first(run):
    late = Recording()
    parent = late.span("step", 0, 1, id="a" * 32)
    run.span("forward", 0.1, 50, parent=parent)  # a task that outlived the step
    outline = Outline(run.session_id, min_wall_ns=2 * MS)
    outline.add(run.batch())
    outline.add(late.batch())
    outline.finish()
    assert outline.left_out_count == 2
    assert [scope.name for scope in outline.top.walk()] == ["", "cirron.session"]


def test_a_span_that_comes_twice_counts_once(run):
    run.span("step", 0, 10)
    run.session(0, 20)
    assert pictured(run, run.batch()) == pictured(run)


def test_a_span_that_was_open_and_has_closed_since_counts_once_with_its_end(run):
    step = run.span("step", 0, None, index=3)
    run.session(0, None)
    open_spans = run.batch().spans
    closed = [
        msgspec.structs.replace(span, end_ns=EPOCH_NS + 8 * MS) for span in open_spans if span.id == step
    ]
    outline = Outline(run.session_id)
    outline.add_open(open_spans)
    outline.add(msgspec.structs.replace(run.batch(), spans=closed))
    outline.finish(EPOCH_NS + 10 * MS)
    assert to_text(outline.top, width=100).splitlines() == [
        "cirron.session  ≥ 10.0 ms                    still open",
        "└─ step[3]        8.00 ms  ████████    80 %",
    ]


def test_open_spans_reach_to_the_instant_they_were_asked_for_each_time(run):
    run.span("step", 5, None)
    run.session(0, None)
    outline = Outline(run.session_id)
    outline.add_open(run.batch().spans)
    for now in (10, 30):
        outline.settle(EPOCH_NS + now * MS)
        assert [scope.total_ns for scope in outline.top.walk()] == [0, now * MS, (now - 5) * MS]


def test_a_ring_of_parents_hangs_from_the_session_and_ends(run):
    run.span("a", 0, 1, parent="b" * 32, id="a" * 32)
    run.span("b", 0, 1, parent="a" * 32, id="b" * 32)
    run.span("self", 0, 1, parent="c" * 32, id="c" * 32)
    run.session(0, 2)
    assert sorted(scope.name for scope in streamed([run.batch()]).walk()) == [
        "",
        "a",
        "b",
        "cirron.session",
        "self",
    ]


def test_a_file_that_nests_ten_thousand_deep_is_read(run):
    parent = "session"
    for depth in range(10_000):
        parent = run.span("down", depth, 20_000 - depth, parent=parent)
    spans = run.batch().spans[::-1]
    top = streamed([msgspec.structs.replace(run.batch(), spans=spans)])
    assert top.span_count() == 10_001
    assert to_text(top).startswith("cirron.session")


def test_two_files_that_nest_deeply_become_one_picture(run):
    for _ in range(2):
        parent = "session"
        for depth in range(3_000):
            parent = run.span("down", depth, 9_000 - depth, parent=parent)
    assert streamed([run.batch()], few=1).span_count() == 6_001


def test_memory_does_not_grow_with_the_spans():
    """Ten batches of a thousand steps are let go of as they are counted."""
    outline = Outline("5e" * 16)
    kept = []
    for second in reversed(range(10)):
        run = Recording()
        for step in range(1_000):
            run.span(
                "step", second * 1000 + step, second * 1000 + step + 0.5, id=f"{second * 1000 + step:032x}"
            )
        batch = msgspec.structs.replace(run.batch(), created_ns=EPOCH_NS + (second + 1) * 1000 * MS)
        outline.add(batch, EPOCH_NS + second * 1000 * MS)
        kept.append(len(outline._long) + len(outline._brief))
    assert max(kept) < 2_000
    outline.finish()
    assert outline.top.span_count() == 10_001


def test_a_copy_does_not_change_with_the_original(run):
    for step in range(7):
        run.mark(run.span("step", step, step + 1, index=step), "loss", 1.0)
    top = streamed([run.batch()])
    copy = top.copy()
    before = to_text(copy)
    top.adopt(Scope("more"), 5)
    for scope in list(top.walk()):
        scope.walls_ns.append(1)
        scope.series.clear()
        scope.name = "changed"
    assert to_text(copy) == before


@pytest.mark.parametrize("few", [1, 5])
def test_shares_of_all_paths_make_up_no_more_than_the_whole(few):
    run = Recording()
    outer = run.span("outer", 0, 10)
    for _ in range(8):
        inner = run.span("inner", 0, 10, parent=outer)
        run.span("late", 5, 90, parent=inner)
    run.session(0, 100)
    rows = flat_rows(streamed([run.batch()], few=few))
    assert sum(row.share for row in rows) == pytest.approx(0.9 + 0.1)
    assert all(0 <= row.share <= 1 for row in rows)


def test_a_clock_that_was_set_back_while_recording_changes_nothing():
    """Batches are named by the wall clock then; what they hold follows a clock that does not jump."""
    batches = []
    for second in range(4):
        run = Recording()
        run.ids = (f"{second:x}" * 16 + f"{count:016x}" for count in range(1, 100))
        run.span("forward", second * 1000 + 600, second * 1000 + 990, parent=f"{second:032x}")
        if second:
            run.span("step", (second - 1) * 1000 + 500, second * 1000 + 500, id=f"{second - 1:032x}")
        created_ns = EPOCH_NS + (second + 1) * 1000 * MS
        batches.append(msgspec.structs.replace(run.batch(), created_ns=created_ns))
    set_back = [batches[0]]
    for batch in batches[1:]:
        set_back.append(msgspec.structs.replace(batch, created_ns=set_back[-1].created_ns + 1))
    assert to_text(streamed(set_back)) == to_text(streamed(batches))
