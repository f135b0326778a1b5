"""Numbers and names in the form a person reads them."""

# ruff: noqa: RUF001 - a multiplication sign is meant

import pytest

from cirron.tree import units


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (12_340, "12.3 µs"),
        (999_960, "1.00 ms"),
        (123_400_000, "123 ms"),
        (9_996_000_000, "10.0 s"),
        (99_400_000_000, "99.4 s"),
        (99_600_000_000, "1 min 40 s"),
        (3_599_700_000_000, "1 h 00 min"),
        (100 * 3_600 * 10**9, "100 h 00 min"),
    ],
)
def test_a_duration_has_three_digits_and_a_fitting_unit(ns, text):
    assert units.duration(ns) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (2_633_103, "2.63 MB"), (5 * 10**15, "5000 TB")]
)
def test_a_size_has_three_digits_and_a_fitting_unit(count, text):
    assert units.size(count) == text


def test_a_share_that_is_little_is_not_nothing():
    assert [units.percent(share) for share in (0, 0.004, 0.256, 1.8)] == ["0 %", "<1 %", "26 %", "180 %"]
    assert [units.fine_percent(share) for share in (0, 0.00001, 0.0002)] == ["0.00 %", "<0.01 %", "0.02 %"]


def test_a_bar_is_exact_to_an_eighth_and_never_longer_than_its_place():
    assert [units.bar(share, 4) for share in (0, 0.001, 0.5, 0.53, 1, 3)] == [
        "",
        "▏",
        "██",
        "██▏",
        "████",
        "████",
    ]


def test_a_sparkline_shows_the_course_of_a_series():
    assert units.sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"
    assert units.sparkline([5, 5, 5]) == "▄▄▄"
    assert units.sparkline(range(1000)) == "▁▁▂▃▄▅▆▇██"


def test_a_sparkline_leaves_out_what_is_not_finite_and_needs_two_points():
    assert units.sparkline([1.0, float("nan"), float("inf"), 2.0]) == "▁█"
    assert units.sparkline([1.0, float("nan")]) == ""
    assert units.sparkline([1e308, 1e308, -1e308] * 10) != ""


def test_what_a_terminal_would_obey_is_spelled_out():
    assert units.clean("a\x1b[31m\r\n\u202eb") == r"a\x1b[31m\r\n\u202eb"
    assert units.clean("épochs 训练") == "épochs 训练"


def test_a_cut_counts_terminal_cells():
    assert units.cut("训练训练", 5) == "训练…"
    assert units.cut("epoch", 5) == "epoch"


def test_plain_characters_stand_for_lines_and_blocks():
    drawn = "└─ step ×3  ███▍  5 µs ▁█ …"
    assert units.ascii_only(drawn).isascii()
