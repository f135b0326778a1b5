"""Span ids as a person gives them."""

import pytest

from cirron.snapshots import SpanPattern, short_span_ids

ID = "446a507b2456443f00000000000001f3"


@pytest.mark.parametrize("given", ["446a", "446A507B", "446a507b..01f3", "..f3", ID, f"{ID}..", ".."])
def test_a_pattern_is_a_beginning_or_a_beginning_and_an_end(given):
    assert SpanPattern.parse(given).matches(ID)


@pytest.mark.parametrize("given", ["01f3", "446b", "446a..01f4", "..446a", f"{ID}0"])
def test_a_pattern_matches_nothing_else(given):
    assert not SpanPattern.parse(given).matches(ID)


@pytest.mark.parametrize(
    ("ids", "short"),
    [
        ([ID], ["446a507b"]),
        ([ID, "5" * 32], ["446a507b", "55555555"]),
        ([ID, ID[:-1] + "4"], ["446a507b..01f3", "446a507b..01f4"]),
        ([ID, ID[:-5] + "101f3"], ["446a507b..001f3", "446a507b..101f3"]),
        (["root", ID], ["root", "446a507b"]),
        ([], []),
    ],
)
def test_short_ids_are_as_short_as_tells_them_apart(ids, short):
    found = short_span_ids(ids)
    assert [found[each] for each in ids] == short
    assert all(SpanPattern.parse(found[each]).matches(each) for each in ids)


def test_ids_that_differ_in_the_middle_only_are_given_in_full():
    ids = [ID, ID[:8] + "3" + ID[9:]]
    assert short_span_ids(ids) == {each: each for each in ids}
