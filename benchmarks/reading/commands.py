"""The commands that are measured, and the targets they are held against."""

import subprocess
import sys
from dataclasses import dataclass

from benchmarks.reading.spools import LARGE, MANY, NONE, SMALL

OUTPUT = "OUTPUT"
"""Stands in a command for a path of its own that does not exist yet."""

MOST_MEGABYTES = 1000
LEAST_SPANS_PER_S = 250_000

_READ = {NONE: "", SMALL: ", small spool", MANY: ", many files", LARGE: ""}


@dataclass(frozen=True)
class Command:
    """One row of the table; a target is None where there is none.

    Args:
        arguments: what follows `cirron`.
        spool: which one it reads.
        most_s: wall time.
        least_spans_per_s: of wall time.
        most_megabytes: resident at its peak.
    """

    arguments: tuple[str, ...]
    spool: str
    most_s: float | None = None
    least_spans_per_s: float | None = None
    most_megabytes: float | None = None

    @property
    def label(self) -> str:
        """As a user types it, and what it reads where that is not the large spool."""
        typed = " ".join(part for part in self.arguments if part not in (OUTPUT, "--output"))
        return f"`cirron {typed}`" + _READ[self.spool]


def commands() -> list[Command]:
    """All of them, with an export to every format that the installed cirron knows."""
    return [
        Command(("--help",), NONE),
        Command(("traces", "view"), SMALL),
        Command(("spool", "inspect"), MANY, most_s=2),
        Command(("spool", "inspect", "--json"), MANY, most_s=2),
        Command(("traces", "list"), LARGE, most_megabytes=MOST_MEGABYTES),
        Command(("traces", "view"), LARGE),
        Command(
            ("traces", "view", "--flat"),
            LARGE,
            least_spans_per_s=LEAST_SPANS_PER_S,
            most_megabytes=MOST_MEGABYTES,
        ),
        *(_export(name) for name in _export_formats()),
    ]


def _export(name: str) -> Command:
    arguments = ("traces", "export", "--format", name, "--output", OUTPUT)
    return Command(arguments, LARGE, most_megabytes=MOST_MEGABYTES)


def _export_formats() -> list[str]:
    # In a process of its own: what this one has in memory would count as the peak of those it starts.
    code = "from cirron.export import FORMATS; print(*FORMATS)"
    return subprocess.check_output([sys.executable, "-P", "-c", code], text=True).split()
