"""The medians as Markdown, each target with its verdict."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.reading.commands import Command
from benchmarks.reading.spools import LARGE, MANY, SMALL, Spool
from benchmarks.reading.usage import Usage
from benchmarks.table import verdict

HEADER = ("command", "seconds", "CPU seconds", "spans/s", "peak MB", "targets")


def markdown(
    medians: Mapping[Command, Usage], spools: Mapping[str, Spool], machine: Mapping[str, str], rounds: int
) -> str:
    """The whole report: what was read and where, and a line a command."""
    lines = (_line(command, usage, spools[command.spool]) for command, usage in medians.items())
    return f"{_preamble(spools, machine, rounds)}\n\n{_grid(HEADER, lines)}"


def _preamble(spools: Mapping[str, Spool], machine: Mapping[str, str], rounds: int) -> str:
    large, small, many = spools[LARGE], spools[SMALL], spools[MANY]
    return (
        f"Medians of {rounds} on {machine['cpu']}, {machine['cores']} cores, {machine['python']}, {machine['date']}, "
        f"load {machine['load']} at the start. The spool has {large.spans:,} spans and {large.marks:,} marks in "
        f"{large.files:,} files of {large.size_bytes / 1e9:.2f} GB; the small one {small.spans:,} spans; "
        f"of many files {many.files:,}."
    )


def _line(command: Command, usage: Usage, spool: Spool) -> list[str]:
    spans_per_s = spool.spans / usage.wall_s if command.spool == LARGE else None
    return [
        command.label,
        f"{usage.wall_s:.2f}",
        f"{usage.cpu_s:.2f}",
        "" if spans_per_s is None else f"{spans_per_s:,.0f}",
        f"{usage.peak_megabytes:,.0f}",
        _verdicts(command, usage, spans_per_s),
    ]


def _verdicts(command: Command, usage: Usage, spans_per_s: float | None) -> str:
    verdicts = {
        "s": verdict(usage.wall_s, most=command.most_s),
        "spans/s": verdict(spans_per_s, least=command.least_spans_per_s),
        "MB": verdict(usage.peak_megabytes, most=command.most_megabytes),
    }
    return "; ".join(f"{unit} {told}" for unit, told in verdicts.items() if told)


def _grid(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 2), "---"]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))
