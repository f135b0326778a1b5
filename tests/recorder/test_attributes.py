"""Attributes of scopes and marks."""

import math
from decimal import Decimal

import numpy as np
import pytest

from cirron._recorder import mark, scope
from support.recorders import tree


@pytest.fixture(params=["scope", "mark"])
def attrs_of(request, session):
    """What is recorded of attributes, once given to a scope and once to a mark."""

    def record(**attrs):
        if request.param == "scope":
            with scope("s", **attrs):
                pass
            return session.span("s").attrs
        mark("m", 1, **attrs)
        return session.mark("m").attrs

    return record


class Thing:
    def __str__(self):
        return "a thing"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        ("", ""),
        (1, 1),
        (-(2**63), -(2**63)),
        (2**63, 2.0**63),
        (10**400, "inf"),
        (1.5, 1.5),
        (2.0, 2.0),
        (True, True),
        (False, False),
        (None, None),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        ([1, 2], "[1, 2]"),
        (Decimal("1.50"), "1.50"),
        (np.float64(0.5), 0.5),
        (np.int32(3), "3"),
        (Thing(), "a thing"),
        (Thing, str(Thing)),
        ("x" * 300, "x" * 256),
        (["x" * 300], str(["x" * 300])[:256]),
        ("é" * 200, "é" * 128),
        ("x" * 255 + "€", "x" * 255),
        ("a\0b\x01", "a\0b\x01"),
    ],
)
def test_values(attrs_of, value, expected):
    found = attrs_of(a=value)
    assert found == {"a": expected}
    assert type(found["a"]) is type(expected)


def test_a_lone_surrogate_does_not_spoil_the_rest(attrs_of):
    found = attrs_of(a="x\ud800y", b=1)
    assert (found["a"][0], found["a"][2], found["b"]) == ("x", "y", 1)


def test_keep_their_order(attrs_of):
    assert list(attrs_of(z=1, a=2, m=3)) == ["z", "a", "m"]


def test_are_taken_when_the_call_is_made(attrs_of):
    values = [1]
    found = attrs_of(a=values)
    values.append(2)
    assert found == {"a": "[1]"}


def test_at_most_64_are_kept_and_the_rest_is_counted(attrs_of, session):
    found = attrs_of(**{f"a{number}": number for number in range(70)})
    assert found == {f"a{number}": number for number in range(64)}
    assert session.counter("internal_errors") == {"attribute dropped": 1}


def test_64_of_the_longest_are_kept_whole(attrs_of):
    attrs = {f"{number:03}" + "k" * 253: f"{number:03}" + "v" * 253 for number in range(64)}
    assert attrs_of(**attrs) == attrs


@pytest.mark.parametrize("key", ["with space", "", "日本", 'quote"\\', "a\0b", "cirron.mine"])
def test_any_text_is_a_key(attrs_of, key):
    assert attrs_of(**{key: 1}) == {key: 1}


def test_a_long_key_is_cut_like_a_value(attrs_of):
    assert attrs_of(**{"k" * 300: 1}) == {"k" * 256: 1}


def test_keys_that_are_equal_once_cut_occur_once(attrs_of):
    assert attrs_of(**{"k" * 256 + "a": 1, "k" * 256 + "b": 2}) in ({"k" * 256: 1}, {"k" * 256: 2})


def test_keys_that_differ_in_a_lone_surrogate_occur_once(attrs_of):
    assert len(attrs_of(**{f"a{chr(0xD800 + number)}": number for number in range(2)})) == 1


def test_the_same_key_may_be_made_anew_each_time(session):
    for number in range(3):
        mark("m", number, **{str(b"key", "ascii"): number})
    assert [mark.attrs for mark in session.marks()] == [{"key": 0}, {"key": 1}, {"key": 2}]


class TestNamesOfParameters:
    def test_name_is_an_attribute_where_the_name_is_given_by_position(self, session):
        with scope("s", name="other"):
            mark("m", 1, name="third", value=2)
        assert session.picture() == tree("""
            cirron.session
              s name='other' | m=1 name='third' value=2
        """)

    def test_index_of_a_mark_and_value_and_kind_of_a_scope_are_attributes(self, session):
        with scope("s", value=1, kind="k"):
            mark("m", 1, index=4)
        assert session.picture() == tree("""
            cirron.session
              s value=1 kind='k' | m=1 index=4
        """)

    def test_parameters_may_be_given_by_name(self, session):
        with scope(name="s", index=2, a=1):
            mark(kind="summary", value=5, name="m", b=2)
        assert session.picture() == tree("""
            cirron.session
              s[2] a=1 | m=5 summary b=2
        """)

    def test_a_second_index_and_a_second_kind_are_attributes(self, session):
        with scope("s", 1, index=2):
            mark("m", 1, "summary", kind="other")
        assert session.picture() == tree("""
            cirron.session
              s[1] index=2 | m=1 summary kind='other'
        """)


def test_an_attribute_of_a_scope_that_fails_later_is_kept_with_the_error(session):
    attrs = {f"a{number}": "v" * 256 for number in range(64)}
    with pytest.raises(ValueError), scope("s", **attrs):
        raise ValueError
    assert session.span("s").attrs == attrs | {"error": "ValueError"}


def test_large_and_small_scopes_may_alternate(session):
    large = {f"a{number}": "v" * 200 for number in range(40)}
    for number in range(20):
        with scope("small", number, a=number), scope("large", number, **large), scope("small", number):
            pass
    assert [span.attrs for span in session.spans("large")] == [large] * 20
