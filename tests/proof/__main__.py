"""Runs the long proofs in full and prints what they found: `python -m proof [--kills N] [--seconds N]`."""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from proof.accounts import Account
from proof.crowd import CROWDS, record_and_settle
from proof.kill import SCENARIOS, SHM, kill_and_settle
from proof.soak import growth, soak, too_much

COLUMNS = ("returned", "spans", "marks", "open", "lost", "counted", "faults")


def main() -> int:
    options = _options()
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    faults = kills(options.kills, random.Random(seed)) + crowds() + long_run(options.seconds)
    print("\n".join(["", *faults[:50], f"{len(faults)} faults"]))
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12, help="for each scenario and file system (12)")
    parser.add_argument("--seconds", type=int, default=240, help="of the soak (240)")
    return parser.parse_args()


def kills(times: int, dice: random.Random) -> list[str]:
    """Kill in every scenario on the disk, and in memory where there is a file system for that."""
    print(f"\n{'kills':46}", *(f"{name:>9}" for name in COLUMNS), flush=True)
    faults = []
    for place in [None, *([SHM] if SHM.is_dir() else [])]:
        for scenario in SCENARIOS:
            accounts = [_in_a_folder(place, kill_and_settle, scenario, dice) for _ in range(times)]
            name = f"{times} x {scenario.name}, {'in memory' if place else 'on disk'}"
            faults += _report(name, accounts)
    return faults


def crowds() -> list[str]:
    """Everybody at once."""
    return [
        fault
        for crowd in CROWDS
        for fault in _report(f"crowd: {crowd.name}", [_in_a_folder(None, record_and_settle, crowd, times=5)])
    ]


def long_run(seconds: int) -> list[str]:
    """The soak, and by how much each thing grew."""
    samples = _in_a_folder(None, soak, seconds)
    grown = ", ".join(f"{name} {amount:+,}" for name, amount in growth(samples).items())
    print(f"\nsoak, {seconds} s: {grown}", flush=True)
    return too_much(samples)


def _in_a_folder(place, function, first, *rest, **options):
    """Call with a new folder, which is removed, as the second argument."""
    folder = Path(tempfile.mkdtemp(dir=place))
    try:
        return function(first, folder, *rest, **options)
    finally:
        shutil.rmtree(folder)


def _report(name: str, accounts: list[Account]) -> list[str]:
    lost = sum(account.spans_missing + account.marks_missing for account in accounts)
    counted = sum(account.dropped.spans_dropped + account.dropped.marks_dropped for account in accounts)
    faults = [f"{name}: {fault}" for account in accounts for fault in account.faults]
    sums = [sum(getattr(account, column) for account in accounts) for column in COLUMNS[:4]]
    print(f"{name:46}", *(f"{number:>9}" for number in [*sums, lost, counted, len(faults)]), flush=True)
    return faults


if __name__ == "__main__":
    sys.exit(main())
