"""`keep` gives the part of a tree that was asked for."""

import re

import pytest

from cirron.tree import build, keep
from support.recording import Recording


@pytest.fixture
def tree():
    run = Recording()
    for epoch in range(2):
        start = epoch * 10
        run.span("forward", start + 1, start + 4, parent=f"{epoch}" * 32)
        run.span("backward", start + 4, start + 8, parent=f"{epoch}" * 32)
        run.span("epoch", start, start + 9, id=f"{epoch}" * 32, index=epoch)
    run.span("export", 20, None)
    run.session(0, 30)
    return build([run.batch()])


def outline(tree):
    return ["  " * depth + node.span.name for depth, node in tree.walk()]


def test_a_name_keeps_its_spans_and_what_is_below_them(tree):
    kept = keep(tree, name="epoch")
    assert outline(kept) == ["epoch", "  forward", "  backward"] * 2
    assert kept.span_count == 6


def test_a_name_inside_itself_is_kept_once():
    run = Recording()
    run.span("block", 0, 9, id="b" * 32, parent=None)
    run.span("block", 1, 2, parent="b" * 32)
    assert outline(keep(build([run.batch()]), name="block")) == ["block", "  block"]


def test_an_unknown_name_keeps_nothing(tree):
    assert outline(keep(tree, name="epo")) == []


def test_last_keeps_the_spans_that_closed_last_and_the_tree_between_them(tree):
    assert outline(keep(tree, last=3)) == ["cirron.session", "  epoch", "    backward"]


def test_last_keeps_marks_but_no_span_that_is_open():
    run = Recording()
    done = run.span("done", 0, 1, parent=None)
    run.mark(done, "loss", 0.5)
    run.span("open", 2, None, parent=None)
    kept = keep(build([run.batch()]), last=5)
    assert outline(kept) == ["done"]
    assert [mark.value for mark in kept.roots[0].marks] == [0.5]


def test_both_filters_keep_the_last_of_the_name(tree):
    assert outline(keep(tree, name="forward", last=1)) == ["forward"]
    assert keep(tree, name="forward", last=1).roots[0].span.parent_id == "1" * 32


def test_the_tree_that_was_filtered_stays_whole(tree):
    before = outline(tree)
    keep(tree, name="epoch", last=2)
    assert outline(tree) == before


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"last": 0}, ValueError, "last=0 would keep nothing: pass 1 or more"),
        ({"last": True}, TypeError, "last=True is not a count"),
        ({"last": 2.5}, TypeError, "last=2.5 is not a count"),
        ({"name": 3}, TypeError, "name=3 is not a span's name"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(tree, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        keep(tree, **arguments)
