"""What the attacks share."""

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path) -> Path:
    """A `.cirron` directory to be."""
    return tmp_path / ".cirron"
