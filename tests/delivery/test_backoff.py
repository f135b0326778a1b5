"""The pauses after failures."""

import pytest

from cirron.delivery.backoff import Backoff
from delivery.setup import Clock


@pytest.mark.parametrize(
    ("random", "pauses_s"), [(1.0, [0.5, 1, 2]), (0.25, [0.125, 0.25, 0.5]), (0.0, [0, 0, 0])]
)
def test_pauses_are_of_any_length_up_to_one_that_doubles(random, pauses_s):
    backoff = Backoff(Clock(), lambda: random)
    found_s = []
    for _ in pauses_s:
        backoff.failed()
        found_s.append(backoff.remaining_s)
    assert found_s == pauses_s


def test_a_pause_that_was_asked_for_is_the_least():
    backoff = Backoff(Clock(), lambda: 0.0)
    backoff.failed(7)
    assert backoff.remaining_s == 7


def test_a_thousand_failures_in_a_row_are_as_bad_as_ten():
    backoff = Backoff(Clock(), lambda: 1.0)
    for _ in range(10_000):
        backoff.failed()
    assert backoff.remaining_s == 60
