"""The medians as Markdown, each target with its verdict."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import rows
from benchmarks.rows import CIRRON, SDK, Operation, Results
from benchmarks.sdk import VERSION

BEGIN, END = "<!-- cost-table:begin -->", "<!-- cost-table:end -->"
ABSENT = ""


class MarkersMissingError(Exception):
    """The file to write the table into has no place for it."""


def markdown(results: Results, machine: dict[str, str]) -> str:
    """The whole report: operations, neighbours, sustained rates and whole-process figures."""
    theirs = f"cirron-sdk {VERSION}"
    grids = (
        (["operation", "ns", "x lock", "target", f"{theirs}, ns", "times cheaper", "target"], _operations),
        (["beside it, in the same process", "ns", "x lock"], _neighbours),
        (["without a pause, drain running", "cirron", theirs], _sustained),
        (["whole process", "cirron", "target", theirs], _figures),
    )
    return "\n\n".join([_preamble(machine), *(grid(header, lines(results)) for header, lines in grids)])


def _preamble(machine: dict[str, str]) -> str:
    return (
        f"Medians on {machine['cpu']}, {machine['cores']} cores, {machine['python']}, {machine['date']}. "
        "ns of one operation without the loop around it, in bursts with a flush between them."
    )


def write_between_markers(file: Path, table: str) -> None:
    """Replaces what stands between the cost-table markers of a file.

    Raises:
        MarkersMissingError: the file lacks one of the two markers.
    """
    text = file.read_text()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        raise MarkersMissingError(
            f"{file} has no place for the table: add a line {BEGIN} and below it a line {END}"
        )
    file.write_text(f"{head}{begin}\n{table}\n{end}{tail}")


def verdict(value: float | None, most: float | None = None, least: float | None = None) -> str:
    """A target in words: the limit and whether the value keeps it, or by how much it does not.

    Example:
        >>> verdict(0.90, most=0.75)
        '≤ 0.75 missed by 20 %'
    """
    limit = most if most is not None else least
    if limit is None:
        return ""
    text = f"{'≤' if most is not None else '≥'} {limit:g}"
    if value is None:
        return f"{text} not measured"
    missed_by = (value / limit - 1) * (1 if most is not None else -1)
    return f"{text} met" if missed_by <= 0 else f"{text} missed by {missed_by:.0%}".replace("%", " %")


def _operations(results: Results) -> Iterable[list[str]]:
    for operation in rows.OPERATIONS:
        yield [operation.label, *_our_cost(results, operation), *_their_cost(results, operation)]


def _our_cost(results: Results, operation: Operation) -> list[str]:
    medians = results["operations"][operation.process]
    locks = rows.in_locks(medians, operation.case)
    ns = rows.net_ns(medians, operation.case)
    return [number(ns), number(locks), verdict(locks, most=operation.most_locks)]


def _their_cost(results: Results, operation: Operation) -> list[str]:
    theirs = results["operations"].get(SDK, {}) if operation.process == CIRRON else {}
    times = rows.times_cheaper(results, operation)
    return [
        number(rows.net_ns(theirs, operation.case)),
        number(times),
        verdict(times, least=operation.least_times),
    ]


def _neighbours(results: Results) -> Iterable[list[str]]:
    medians = results["operations"][CIRRON]
    for label, case in rows.NEIGHBOURS:
        yield [label, number(rows.net_ns(medians, case)), number(rows.in_locks(medians, case))]


def _sustained(results: Results) -> Iterable[list[str]]:
    processes = (CIRRON, SDK)
    for case in ("scope", "mark"):
        yield [f"{case}, ns", *(number(rows.sustained_ns(results, process, case)) for process in processes)]
    yield [
        "records dropped (counted)",
        *(_percent(rows.sustained_drops(results, process)) for process in processes),
    ]


def _figures(results: Results) -> Iterable[list[str]]:
    for figure in rows.FIGURES:
        ours, theirs = (rows.figure_value(results, figure, process) for process in (CIRRON, SDK))
        target = verdict(ours, figure.most, figure.least)
        yield [figure.label, number(ours, figure.unit), target, number(theirs, figure.unit)]


def number(value: float | None, unit: str = "") -> str:
    if value is None:
        return ABSENT
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


def _percent(share: float | None) -> str:
    return number(None if share is None else share * 100, "%")


def grid(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))
