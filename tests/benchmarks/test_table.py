"""How a number is held against its target, and how the table enters a file."""

from pathlib import Path

import pytest

from benchmarks.table import MarkersMissingError, verdict, write_between_markers


def test_a_target_says_whether_it_is_met_or_by_how_much_it_is_missed() -> None:
    assert [
        verdict(0.37, most=0.75),
        verdict(0.9, most=0.75),
        verdict(40, least=50),
        verdict(None, most=20),
    ] == [
        "≤ 0.75 met",
        "≤ 0.75 missed by 20 %",
        "≥ 50 missed by 20 %",
        "≤ 20 not measured",
    ]


def test_a_number_without_a_target_gets_no_verdict() -> None:
    assert verdict(1.0) == ""


def test_the_table_replaces_only_what_stands_between_the_markers(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("above\n<!-- cost-table:begin -->\nold\n<!-- cost-table:end -->\nbelow\n")

    write_between_markers(file, "| new |")

    assert file.read_text() == "above\n<!-- cost-table:begin -->\n| new |\n<!-- cost-table:end -->\nbelow\n"


def test_a_file_without_markers_is_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("no table here\n")

    with pytest.raises(MarkersMissingError, match="add a line <!-- cost-table:begin -->"):
        write_between_markers(file, "| new |")

    assert file.read_text() == "no table here\n"
