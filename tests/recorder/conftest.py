"""A session of the native recorder for each test that asks for one."""

from pathlib import Path

import pytest

from support.recorders import Session


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A `.cirron` directory; conftest of all tests checks the spool in it afterwards."""
    return tmp_path / ".cirron"


@pytest.fixture
def session(root: Path):
    """A live session that `scope`, `mark`, `epochs` and `batches` record into."""
    session = Session(root)
    yield session
    session.end()


@pytest.fixture
def new_session(root: Path):
    """Makes a session with options of its own; ended after the test."""
    sessions = []

    def make(**options):
        sessions.append(Session(root, **options))
        return sessions[-1]

    yield make
    for session in sessions:
        session.end()
