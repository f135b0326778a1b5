"""Each test runs in a folder and a home of its own, and leaves nothing behind."""

import logging
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import settings

import cirron
from cirron import session
from cirron.hooks import garbage
from cirron.launcher import LAUNCHERS
from cirron.settings import ENVIRONMENT
from support.spool_checks import assert_valid_spool

# A change is not refused for what it has not touched; `pytest --hypothesis-profile=exploring` looks for new examples.
settings.register_profile("exploring", deadline=None)
settings.register_profile("repeatable", settings.get_profile("exploring"), derandomize=True)
settings.load_profile("repeatable")

# What a shell ignores for a background job, or nohup for what it runs, every program of a test would inherit.
for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)


@pytest.fixture(autouse=True)
def isolated(tmp_path, monkeypatch):
    """No setting of the machine reaches a test, and no test the user's home."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    launcher_variables = [
        name
        for each in LAUNCHERS
        for name in (each.rank, each.local_rank, each.world_size, each.run_id)
        if name
    ]
    for name in (*ENVIRONMENT, *launcher_variables):
        monkeypatch.delenv(name, raising=False)
    # The tests' own process has much to look through for garbage, and does so when it likes.
    monkeypatch.setattr(garbage, "LEAST_NS", 10**18)
    # Python 3.12 warns of fork() in a process with threads; that is the very case some tests are about.
    monkeypatch.setenv("PYTHONWARNINGS", "ignore:This process:DeprecationWarning")


@pytest.fixture(autouse=True)
def nothing_left(request, tmp_path, isolated):
    """No session, thread or live journal outlasts a test, and every spool keeps the promises of the format.

    A test that damages a spool on purpose asks for the fixture `damaged_spools`.
    """
    assert not leftovers(tmp_path), "an earlier test left this behind"
    yield
    left = leftovers(tmp_path)
    cirron.shutdown()
    session._default = None  # so that no test sees the last session of another
    assert not left, "the test left this behind; call shutdown() at its end"
    if "damaged_spools" not in request.fixturenames:
        for spool in spools_below(tmp_path):
            assert_valid_spool(spool)


@pytest.fixture
def damaged_spools():
    """Spools of this test are damaged on purpose and not checked after it."""


@pytest.fixture
def profiler():
    """A session of the default instance in `./.cirron`, ended after the test."""
    handle = cirron.profile()
    yield handle
    cirron.shutdown()


def leftovers(directory: Path) -> list[str]:
    """Whatever of cirron is still at work in this process."""
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("cirron-")]
    sessions = ["the default session"] if session._the_default()._profiler is not None else []
    journals = [
        str(path) for path in _open_files() if path.suffix == ".journal" and directory in path.parents
    ]
    return threads + sessions + journals


def spools_below(directory: Path) -> list[Path]:
    """The spools that sessions made, told by the journal folder beside them."""
    return [path.parent / "spool" for path in directory.rglob("journal") if (path.parent / "spool").is_dir()]


def _open_files() -> list[Path]:
    """What this process has open, where the system tells."""
    descriptors = Path("/proc/self/fd")
    links = list(descriptors.iterdir()) if descriptors.is_dir() else []
    return [link.readlink() for link in links if link.is_symlink()]


class RaisingHandler(logging.Handler):
    """A user's logging handler with a fault."""

    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError("this handler is broken")


@pytest.fixture
def raising_handler():
    """While the test runs, whoever logs to `cirron` meets a handler that raises."""
    handler = RaisingHandler()
    logging.getLogger("cirron").addHandler(handler)
    yield handler
    logging.getLogger("cirron").removeHandler(handler)
