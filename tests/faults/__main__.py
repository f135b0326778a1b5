"""Causes faults and prints what came of each: `python -m faults [--times N] [--only NAME] [--table FILE]`."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import Future
from pathlib import Path

from faults.catalogue import FAMILIES
from faults.causing import causing
from faults.fault import Outcome
from faults.table import HEADINGS, row, write_table


def main() -> int:
    options = _options()
    chosen = [
        fault
        for family, faults in FAMILIES.items()
        for fault in faults
        if options.only in fault.name and options.family in ("", family)
    ]
    if not chosen:
        sys.exit(f"no fault is called {options.only!r}: look for names in tests/faults")
    print(_line(HEADINGS), flush=True)
    with causing(chosen, options.times) as futures:
        results = [_await_and_say(of_one_fault) for of_one_fault in futures]
    wrong = [f"{each.fault.name}: {text}" for outcomes in results for each in outcomes for text in each.wrong]
    print("\n".join(["", *wrong[:100], f"{len(wrong)} things are wrong"]))
    if options.table is not None and not wrong:
        write_table(options.table, results)
        print(f"the table in {options.table} is new")
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1, help="that each fault is caused (1)")
    parser.add_argument("--only", default="", help="faults with this in their name")
    parser.add_argument("--family", default="", choices=FAMILIES, help="faults of one family")
    parser.add_argument("--table", type=Path, help="write the table into this file, when nothing is wrong")
    return parser.parse_args()


def _await_and_say(futures: list[Future[Outcome]]) -> list[Outcome]:
    outcomes = [future.result() for future in futures]
    print(_line(row(outcomes)), flush=True)
    return outcomes


def _line(cells: list[str]) -> str:
    """Without the cause, which is long."""
    name, _, *numbers = cells
    return f"{name:48}" + "".join(f"{number:>10}" for number in numbers)


if __name__ == "__main__":
    sys.exit(main())
