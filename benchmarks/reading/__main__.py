"""Measures what reading costs and writes the table: `python -m benchmarks.reading`, with --help for the options."""

import argparse
import dataclasses
import json
import random
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.driver import ROOT, progress, scratch
from benchmarks.reading import table
from benchmarks.reading.commands import Command, commands
from benchmarks.reading.settings import SIZES
from benchmarks.reading.spools import Spool, make_spools
from benchmarks.reading.usage import Usage, measure
from benchmarks.table import write_between_markers

Samples = dict[Command, list[Usage]]


def main() -> None:
    options = _options()
    wanted = _wanted(options.only)
    options.output.mkdir(parents=True, exist_ok=True)
    settings = SIZES["quick" if options.quick else "full"]
    facts = machine.describe()
    with scratch(options.output) as folder:
        spools = make_spools(folder, settings)
        samples = _samples(wanted, spools, settings.rounds)
    report = table.markdown(_medians(samples), spools, facts, settings.rounds)
    (options.output / "reading.md").write_text(report + "\n")
    (options.output / "reading.json").write_text(json.dumps(_raw(samples, facts), indent=1) + "\n")
    progress("")
    print(report)
    if options.readme:
        write_between_markers(ROOT / "benchmarks" / "README.md", report)


def _wanted(text: str) -> list[Command]:
    every = commands()
    wanted = [command for command in every if text in command.label]
    if not wanted:
        sys.exit(f"no command contains '{text}'; there are\n" + "\n".join(command.label for command in every))
    return wanted


def _samples(wanted: Sequence[Command], spools: Mapping[str, Spool], rounds: int) -> Samples:
    """Every command once a round, each time in a new order."""
    samples: Samples = {command: [] for command in wanted}
    for done in range(rounds):
        for command in random.sample(wanted, len(wanted)):
            progress(f"round {done + 1} of {rounds}: {command.label}")
            samples[command].append(measure(command, spools[command.spool].folder))
    return samples


def _medians(samples: Samples) -> dict[Command, Usage]:
    return {command: _median(usages) for command, usages in samples.items()}


def _median(usages: Sequence[Usage]) -> Usage:
    columns = zip(*map(dataclasses.astuple, usages), strict=True)
    return Usage(*map(statistics.median, columns))


def _raw(samples: Samples, facts: dict[str, str]) -> dict[str, object]:
    by_label = {command.label: list(map(dataclasses.asdict, usages)) for command, usages in samples.items()}
    return {"machine": facts, "samples": by_label}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reading", description="Measures what reading a spool costs."
    )
    parser.add_argument(
        "--quick", action="store_true", help="a small spool, one round: tries the machinery, proves no number"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="only the commands that contain this text")
    parser.add_argument(
        "--readme", action="store_true", help="put the table between the markers in benchmarks/README.md"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "build" / "bench",
        help="folder for reading.md and reading.json; the spools lie there meanwhile, about 3 GB",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
