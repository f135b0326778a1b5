"""The outcomes as a table of Markdown, in its place in `docs/reliability.md`."""

from __future__ import annotations

import re
from pathlib import Path

from faults.fault import Outcome

BEGIN, END = "<!-- torture: begin -->", "<!-- torture: end -->"
HEADINGS = [
    "fault",
    "caused by",
    "times",
    "expected",
    "found",
    "lost",
    "counted",
    "exit code",
    "output",
    "warnings",
]


def row(outcomes: list[Outcome]) -> list[str]:
    """The sums over all times that one fault was caused."""
    fault = outcomes[0].fault
    sums = [
        sum(getattr(each, name) for each in outcomes) for name in ("expected", "found", "lost", "counted")
    ]
    return [
        fault.name,
        fault.cause,
        f"{len(outcomes)}",
        *(f"{number:,}" for number in sums),
        "same" if all(each.exit_code_unchanged for each in outcomes) else "CHANGED",
        "same" if all(each.output_unchanged for each in outcomes) else "CHANGED",
        f"{sum(each.warnings for each in outcomes) / len(outcomes):g}",
    ]


def write_table(page: Path, results: list[list[Outcome]]) -> None:
    """Put the table between its marks.

    Raises:
        ValueError: the page has no such marks.
    """
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page} has no {BEGIN} and {END}: put them where the table belongs")
    lines = [_markdown(HEADINGS), _markdown(["---"] * 2 + ["---:"] * 5 + ["---"] * 2 + ["---:"])]
    lines += [_markdown(row(outcomes)) for outcomes in results]
    table = "\n".join([BEGIN, "", *lines, "", END])
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")


def _markdown(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
