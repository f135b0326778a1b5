"""Kills a recording program at a random moment, recovers, and settles the account."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cirron.spool import Problem, seal_dead_journals
from proof.accounts import Account, settle
from proof.programs import witness

PROGRAMS = Path(__file__).parent / "programs"
SHM = Path("/dev/shm")


@dataclass(frozen=True)
class Scenario:
    """What the program does that is to be killed, and when it is killed."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    earliest_s: float = 0.002
    latest_s: float = 0.4
    at_start: bool = False  # counted from the start of the process, not from its first step


SEALING = {"batch_max_bytes": 65536, "flush_interval": 0.01}
SCENARIOS = [
    Scenario("one thread"),
    Scenario("one thread at full speed", {"effort": 0}),
    Scenario("four threads", {"threads": 4}),
    Scenario("short threads", {"threads": 1, "churn": True}),
    Scenario("fifty tasks", {"threads": 0, "tasks": 50}),
    Scenario("sealing all the time", {"threads": 2, "flushing": True, "config": SEALING}),
    Scenario("sealing, with fsync", {"threads": 2, "flushing": True, "config": SEALING | {"fsync": True}}),
    Scenario("rings too small", {"threads": 3, "effort": 0, "config": {"ring_marks": 64}}),
    Scenario("while it starts", at_start=True, earliest_s=0.02, latest_s=0.25),
]


Recovery = Callable[[Path, random.Random], None]


def kill_and_settle(
    scenario: Scenario, folder: Path, dice: random.Random, recover: Recovery | None = None
) -> Account:
    """One kill in a new folder, one recovery, by default of a kind that the dice choose, and the account."""
    root, seen = folder / ".cirron", folder / "witness"
    witness.create(seen)
    _run_and_kill(scenario, root, seen, dice.uniform(scenario.earliest_s, scenario.latest_s))
    if root.is_dir():
        (recover or dice.choice(RECOVERIES))(root, dice)
    account = settle(root, seen) if root.is_dir() else Account()
    account.faults += _left_over(root)
    return account


def _run_and_kill(scenario: Scenario, root: Path, seen: Path, delay_s: float) -> None:
    command = [sys.executable, PROGRAMS / "work.py", root, seen, json.dumps(scenario.options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if not scenario.at_start:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    kill_after(process, delay_s)


def kill_after(process: subprocess.Popen[str], delay_s: float) -> None:
    """SIGKILL a process that must still be running then."""
    try:
        process.wait(delay_s)
    except subprocess.TimeoutExpired:
        process.kill()
    _, complaints = process.communicate()
    assert process.returncode == -9, f"exit code {process.returncode}: {complaints}"


def _recover_here(root: Path, _: random.Random) -> None:
    problems = [found for found in seal_dead_journals(root) if isinstance(found, Problem)]
    assert not problems, problems


def _recover_in_a_race(root: Path, _: random.Random) -> None:
    command = [sys.executable, PROGRAMS / "recover.py", root]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sealed = [int(racer.communicate()[0].split()[1]) for racer in racers]
    assert sum(sealed) <= 1, sealed


def recover_under_fire(root: Path, dice: random.Random, killed: int = 2) -> None:
    """Some recoveries that are killed themselves, then one that is not."""
    for _ in range(killed):
        command = [sys.executable, PROGRAMS / "recover.py", root]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        try:
            process.wait(dice.uniform(0, 0.02))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
    _recover_here(root, dice)


RECOVERIES: list[Recovery] = [_recover_here, _recover_in_a_race, recover_under_fire]


def _left_over(root: Path) -> list[str]:
    """What no recovery may leave: journals, and batches half written."""
    left = [*(root / "journal").glob("*.journal"), *(root / "spool").glob("*.tmp")]
    return [f"{path.name} was left behind" for path in left]
