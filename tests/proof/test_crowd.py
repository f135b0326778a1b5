"""However many record at once, what is found and what is counted as dropped add up to what was recorded."""

import os

import pytest

from proof.crowd import CROWDS, record_and_settle

TIMES = 5 if os.environ.get("CIRRON_LONG") == "1" else 1


@pytest.mark.long
@pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: crowd.name)
def test_everything_is_counted(crowd, tmp_path):
    account = record_and_settle(crowd, tmp_path, TIMES)
    assert not account.faults, "\n".join(account.faults[:20])
    assert account.open == 0
    assert account.spans + account.marks + account.spans_missing + account.marks_missing == account.returned
