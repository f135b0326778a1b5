"""Fifty threads and two hundred tasks record at once, come to an end, and the account is settled."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proof.accounts import Account, settle
from proof.kill import PROGRAMS
from proof.programs import witness


@dataclass(frozen=True)
class Crowd:
    """Who records."""

    name: str
    steps: int
    options: dict[str, Any] = field(default_factory=dict)


CROWD = {"threads": 50, "tasks": 200}
CROWDS = [
    Crowd("at once", 400, CROWD),
    Crowd("switching threads all the time", 100, CROWD | {"switch_interval": 1e-6}),
    Crowd("flushing all the time", 200, CROWD | {"flushing": True}),
    Crowd("rings too small", 4000, {"threads": 50, "effort": 0, "config": {"ring_marks": 64}}),
]


def record_and_settle(crowd: Crowd, folder: Path, times: int = 1) -> Account:
    """The account, with what `health()` says of losses checked against it."""
    root, seen = folder / ".cirron", folder / "witness"
    witness.create(seen)
    options = crowd.options | {"steps": crowd.steps * times}
    command = [sys.executable, PROGRAMS / "work.py", root, seen, json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    health = json.loads(done.stdout.splitlines()[-1])
    account = settle(root, seen, killed=False)
    account.faults += _unlike_health(account, health)
    return account


def _unlike_health(account: Account, health: dict[str, Any]) -> list[str]:
    said = (health["span_drop_count"], health["mark_drop_count"])
    counted = (account.spans_missing, account.marks_missing)
    return [] if said == counted else [f"health() counts {said} dropped, and {counted} are missing"]
