"""The check that other suites rely on finds each kind of broken promise."""

import pytest

from support.spool_checks import assert_valid_spool, broken_promises
from support.spool_files import SESSION_ID, batch, mark, put, session_span, span

SPAN, MARK, NOWHERE = f"{16:032x}", f"{32:032x}", f"{99:032x}"


def test_a_spool_in_order_passes(tmp_path):
    put(
        tmp_path,
        batch(1, spans=[span(16, "step", mark_ids=[MARK])], marks=[mark(32, "loss", 0.5, span_id=SPAN)]),
    )
    put(tmp_path, batch(2, spans=[session_span()]))
    assert_valid_spool(tmp_path)


BROKEN = {
    "span without an end": ({"spans": [span(16, "step", end_ns=None)]}, "no end, and not interrupted"),
    "end before start": ({"spans": [span(16, "step", end_ns=5)]}, "ends at 5, before its start at 1016000"),
    "listed mark is missing": (
        {"spans": [span(16, "step", mark_ids=[MARK])]},
        f"lists mark {MARK}, which is not",
    ),
    "mark of another span": (
        {"spans": [span(16, "step", mark_ids=[MARK])], "marks": [mark(32, "loss", 0.5)]},
        f"lists mark {MARK} of span {SESSION_ID}",
    ),
    "parent is nowhere": (
        {"spans": [span(16, "step", parent_id=NOWHERE), session_span()]},
        f"has the parent {NOWHERE}, which is nowhere",
    ),
    "span of a mark is nowhere": (
        {"spans": [session_span()], "marks": [mark(32, "loss", 0.5, span_id=NOWHERE)]},
        f"belongs to span {NOWHERE}, which is nowhere",
    ),
    "id twice": ({"spans": [span(16, "a"), span(16, "b")]}, f"span id {SPAN} occurs 2 times"),
    "id with other digits": ({"spans": [span(16, "a", id="G" * 32)]}, "does not match '^[0-9a-f]{32}$'"),
    "rank out of the world": ({"rank": 1}, "rank 1 of 1"),
    "other root span": ({"spans": [session_span(id=NOWHERE)]}, f"its root span has the id {NOWHERE}"),
    "not a batch": ({"spans": None}, "unreadable: "),
}


@pytest.mark.parametrize(("changes", "fault"), BROKEN.values(), ids=BROKEN)
def test_a_broken_promise_is_found(changes, fault, tmp_path):
    put(tmp_path, batch(1, **changes))
    assert any(fault in found for found in broken_promises(tmp_path)), list(broken_promises(tmp_path))


def test_a_live_session_may_refer_to_spans_still_to_come(tmp_path):
    put(tmp_path, batch(1, spans=[span(16, "step", parent_id=NOWHERE)]))
    assert_valid_spool(tmp_path)


def test_a_name_that_differs_from_the_batch_is_found(tmp_path):
    put(tmp_path, batch(1), f"{5:020d}-{1:032x}.json")
    with pytest.raises(AssertionError, match="holds batch 1-"):
        assert_valid_spool(tmp_path)
