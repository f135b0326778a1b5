"""Thinning a series keeps what one looks for in its picture."""

import math

import pytest

from cirron.tree.thinning import thinned


def test_few_points_stay_as_they_are():
    points = [(3, 1.0), (4, math.inf), (5, -1.0)]
    assert thinned(points, 3) == points
    assert thinned([], 3) == []


@pytest.mark.parametrize("most", [2, 3, 100, 400])
def test_the_highest_and_the_lowest_stay_and_not_much_else(most):
    points = [(ts_ns, math.sin(ts_ns)) for ts_ns in range(10_000)]
    points[1234], points[8765] = (1234, 99.0), (8765, -99.0)
    fewer = thinned(points, most)
    assert {(1234, 99.0), (8765, -99.0)} <= set(fewer)
    assert len(fewer) <= most
    assert fewer == sorted(fewer)


def test_a_gap_stays_a_gap():
    points = [(ts_ns, math.nan if 500 <= ts_ns < 503 else 1.0) for ts_ns in range(1000)]
    gaps = [ts_ns for ts_ns, value in thinned(points, 100) if math.isnan(value)]
    assert gaps == [500]


def test_a_series_without_a_number_is_nothing_but_gap():
    assert all(math.isnan(value) for _, value in thinned([(ts_ns, math.inf) for ts_ns in range(50)], 4))
