"""Records in any order, whole or damaged, become trees in which nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirron.tree import build
from support.recording import EPOCH_NS, MS, Recording, training


def outline(tree):
    """The tree as indented names, with state where there is one to tell."""
    lines = []
    for depth, node in tree.walk():
        index = "" if node.span.index is None else f"[{node.span.index}]"
        state = "" if node.state == "closed" else f" ({node.state})"
        marks = "".join(f" {mark.name}={mark.value}" for mark in node.marks)
        lines.append("  " * depth + node.span.name + index + state + marks)
    return lines


@pytest.fixture
def run():
    return Recording()


def test_children_stand_below_their_parent_in_the_order_they_began(run):
    run.span("backward", 5, 9, parent="e" * 32)
    run.span("forward", 1, 5, parent="e" * 32)
    run.span("epoch", 0, 10, id="e" * 32, index=0)
    run.session(0, 11)
    assert outline(build([run.batch()])) == ["cirron.session", "  epoch[0]", "    forward", "    backward"]


def test_marks_stand_on_their_span_in_time_order(run):
    epoch = run.span("epoch", 0, 10)
    run.mark(epoch, "loss", 0.5, at=6)
    run.mark(epoch, "loss", 0.9, at=2)
    run.session(0, 11)
    assert outline(build([run.batch()])) == ["cirron.session", "  epoch loss=0.9 loss=0.5"]


def test_a_session_without_a_root_span_gets_one_that_is_open(run):
    run.span("prepare", 2, 4)
    run.mark(run.session_id, "seed", 7, at=1)
    tree = build([run.batch()])
    assert outline(tree) == ["cirron.session (open) seed=7", "  prepare"]
    assert (tree.roots[0].span.id, tree.span_count) == (run.session_id, 2)
    assert tree.roots[0].wall_ns == 3 * MS  # from its first record to its last


def test_the_missing_root_of_a_recovered_session_is_interrupted():
    run = Recording(recovered=True)
    run.span("prepare", 2, 4)
    assert outline(build([run.batch()])) == ["cirron.session (interrupted)", "  prepare"]


def test_children_and_marks_of_a_parent_that_never_came_hang_under_the_session(run):
    run.span("forward", 1, 2, parent="f" * 32)
    run.mark("f" * 32, "loss", 0.5)
    run.session(0, 3)
    assert outline(build([run.batch()])) == ["cirron.session loss=0.5", "  forward"]


def test_a_parent_may_come_in_a_later_batch():
    first, second = Recording(), Recording()
    first.span("step", 0, 1, parent="e" * 32, id="1" * 32)
    second.span("epoch", 0, 2, id="e" * 32)
    second.session(0, 3)
    assert outline(build([first.batch(1), second.batch(2)])) == ["cirron.session", "  epoch", "    step"]


def test_each_session_has_a_root_and_the_first_began_first():
    late, early = Recording("b" * 32), Recording("a" * 32)
    late.session(50, 60)
    early.session(0, 10)
    early.span("prepare", 1, 2)
    assert outline(build([late.batch(), early.batch()])) == ["cirron.session", "  prepare", "cirron.session"]


def test_a_span_without_parent_is_a_root_of_its_own(run):
    run.span("request", 0, 1, parent=None)
    assert outline(build([run.batch()])) == ["request"]


def test_marks_made_outside_of_any_session_get_a_root_to_stand_on():
    loose = Recording(session_id=None)
    loose.mark("root", "seed", 7)
    assert outline(build([loose.batch()])) == ["cirron.session (open) seed=7"]


def test_batches_that_name_no_session_use_the_root_span_they_hold():
    old = Recording(session_id=None)
    old.span("forward", 1, 2, parent="f" * 32)
    old.span("cirron.session", 0, 3, parent=None)
    assert outline(build([old.batch()])) == ["cirron.session", "  forward"]


def test_a_span_that_comes_twice_counts_once_and_its_closed_record_wins(run):
    run.session(0, 10)
    run.span("epoch", 1, None, id="e" * 32)
    run.span("epoch", 1, 9, id="e" * 32)
    run.span("epoch", 1, None, id="e" * 32)
    tree = build([run.batch()])
    assert outline(tree) == ["cirron.session", "  epoch"]
    assert tree.span_count == 2


def test_a_mark_that_comes_twice_counts_once(run):
    run.session(0, 10)
    run.mark(run.session_id, "seed", 7)
    assert outline(build([run.batch(1), run.batch(2)])) == ["cirron.session seed=7"]


def test_open_and_interrupted_spans_say_so(run):
    run.session(0, None)
    run.span("epoch", 1, None, attrs={"cirron.interrupted": True})
    run.span("prepare", 0, 1)
    assert outline(build([run.batch()])) == [
        "cirron.session (open)",
        "  prepare",
        "  epoch (interrupted)",
    ]


def test_open_spans_reach_to_the_last_record_or_to_the_time_given(run):
    run.session(0, None)
    run.span("prepare", 0, 4)
    assert build([run.batch()]).roots[0].wall_ns == 4 * MS
    assert build([run.batch()], now_ns=EPOCH_NS + 9 * MS).roots[0].wall_ns == 9 * MS


def test_a_span_that_ends_before_it_starts_took_no_time(run):
    run.span("odd", 5, 2, parent=None)
    assert build([run.batch()]).roots[0].wall_ns == 0


def test_spans_that_are_their_own_ancestors_hang_under_the_session(run):
    run.session(0, 10)
    run.span("a", 1, 2, id="a" * 32, parent="b" * 32)
    run.span("b", 1, 2, id="b" * 32, parent="c" * 32)
    run.span("c", 1, 2, id="c" * 32, parent="a" * 32)
    run.span("below a", 1, 2, parent="a" * 32)
    run.span("self", 3, 4, id="5" * 32, parent="5" * 32)
    tree = build([run.batch()])
    assert sorted(line.strip() for line in outline(tree)) == sorted(
        ["cirron.session", "a", "b", "c", "below a", "self"]
    )
    assert tree.span_count == 6


def test_a_root_that_names_one_of_its_children_as_parent_stays_the_root(run):
    run.span("epoch", 1, 2, id="e" * 32)
    run.span("cirron.session", 0, 3, id=run.session_id, parent="e" * 32)
    assert outline(build([run.batch()])) == ["cirron.session", "  epoch"]


def test_a_hundred_thousand_levels_are_no_problem(run):
    parent = run.session_id
    for level in range(100_000):
        parent = run.span("level", level, 200_000 - level, parent=parent)
    run.session(0, 200_001)
    assert max(depth for depth, _ in build([run.batch()]).walk()) == 100_000


@given(st.lists(st.integers(0, 12) | st.none(), max_size=12), st.booleans())
def test_whatever_the_parents_are_each_span_is_in_the_tree_once(parents, with_session):
    """Parents may be missing, later, in a ring, or the span itself."""
    run = Recording()
    for number, parent in enumerate(parents):
        run.span("span", number, number + 1, id=f"{number:032x}", parent=parent and f"{parent:032x}")
    if with_session:
        run.session(0, 20)
    ids = [node.span.id for _, node in build([run.batch()]).walk()]
    assert sorted(set(ids) - {run.session_id}) == [f"{number:032x}" for number in range(len(parents))]
    assert len(ids) == len(set(ids))


def test_every_record_of_a_long_run_is_in_the_tree():
    run = training(epochs=5, steps=100)
    tree = build([run.batch()])
    nodes = [node for _, node in tree.walk()]
    assert {node.span.id for node in nodes} == {span.id for span in run.spans}
    assert sum(len(node.marks) for node in nodes) == len(run.marks)
    assert tree.span_count == len(run.spans)
