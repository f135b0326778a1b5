"""A program that records for long at a high rate holds no more at the end than at the beginning."""

import os

import pytest

from proof.soak import soak, too_much

SECONDS = 240 if os.environ.get("CIRRON_LONG") == "1" else 9


@pytest.mark.long
def test_memory_journal_threads_descriptors_and_mappings_stay_as_they_are(tmp_path):
    assert too_much(soak(SECONDS, tmp_path)) == []
