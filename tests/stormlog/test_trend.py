"""What counts as a steady rise, and what only looks like one."""

import math
import random
from itertools import accumulate

import pytest

from stormlog.analysis.trend import trend

SHAPES = {
    "noise": lambda i, n, rng: rng.gauss(0, 1),
    "rare spikes": lambda i, n, rng: rng.expovariate(1) ** 3,
    "a cache that fills up": lambda i, n, rng: 100 * (1 - math.exp(-4 * i / n)) + rng.gauss(0, 0.5),
    "a saw": lambda i, n, rng: i % (n / 3),
    "a step": lambda i, n, rng: 50 * (i > n / 2) + rng.gauss(0, 1),
    "a fall": lambda i, n, rng: -i + rng.gauss(0, 1),
    "nothing at all": lambda i, n, rng: 7,
}


@pytest.mark.parametrize("count", [12, 40, 200])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_looks_like_a_rise_is_none(shape, count):
    rng = random.Random(shape)
    assert not any(trend([SHAPES[shape](i, count, rng) for i in range(count)]).is_rise for _ in range(20))


@pytest.mark.parametrize("count", [40, 200, 1000])
def test_a_rise_is_found_with_its_slope_within_the_band(count):
    rng = random.Random(count)
    found = trend([2 * i + rng.gauss(0, 3) + 100 * (rng.random() < 0.03) for i in range(count)])
    assert found.is_rise
    assert found.low <= 2 <= found.high
    assert found.slope == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("count", [10, 20, 100])
@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_a_walk_at_random_hardly_ever_looks_like_a_rise(memory, count):
    """Each step goes on from the last, and may have something of it."""
    rng = random.Random(count)
    found = 0
    for _ in range(1000):
        step = position = 0.0
        walk = []
        for _ in range(count):
            step = memory * step + rng.gauss(0, 1)
            position += step
            walk.append(position)
        found += trend(walk).is_rise
    assert found <= 10


@pytest.mark.parametrize(("count", "scatter"), [(10, 0.25), (40, 0.5), (80, 1.0)])
def test_a_leak_whose_size_varies_is_found(count, scatter):
    rng = random.Random(count)
    leaks = [list(accumulate(rng.gauss(1, scatter) for _ in range(count))) for _ in range(200)]
    assert sum(trend(leak).is_rise for leak in leaks) >= 0.9 * len(leaks)


def test_one_point_that_is_far_off_changes_nothing():
    values = [float(i) for i in range(50)]
    values[25] = 10_000
    assert (trend(values).slope, trend(values).is_rise) == (1, True)
