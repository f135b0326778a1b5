"""A process that is killed at any moment loses no record whose call had returned.

A short form of `scripts/prove`, which kills far more often and shows the counts.
"""

import os
import random
import shutil
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from proof.kill import SCENARIOS, SHM, kill_and_settle, recover_under_fire

LONG = os.environ.get("CIRRON_LONG") == "1"
KILLS = 15 if LONG else 2


@pytest.fixture
def memory_folder():
    """A folder in memory, where the machine has such a file system; else on the disk."""
    folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


def kill(scenario, folder, times=KILLS):
    if not LONG:
        scenario = replace(scenario, latest_s=min(scenario.latest_s, 0.15))
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    for number in range(times):
        place = folder / str(number)
        place.mkdir()
        account = kill_and_settle(scenario, place, dice)
        assert not account.faults, f"seed {seed}, kill {number}: " + "\n".join(account.faults[:20])
        shutil.rmtree(place)


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_record_whose_call_had_returned_is_recovered(scenario, tmp_path):
    kill(scenario, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS[2:6:3], ids=lambda scenario: scenario.name)
def test_a_spool_in_memory_loses_nothing_either(scenario, memory_folder):
    kill(scenario, memory_folder, times=1)


@pytest.mark.long
def test_recoveries_that_are_killed_one_after_the_other_repeat_nothing(tmp_path):
    dice = random.Random()
    recover = partial(recover_under_fire, killed=40 if LONG else 8)
    account = kill_and_settle(SCENARIOS[2], tmp_path, dice, recover)
    assert not account.faults, "\n".join(account.faults[:20])
    shutil.rmtree(tmp_path / ".cirron")
