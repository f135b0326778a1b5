"""One process at a time sends from a spool."""

import errno
import fcntl
import multiprocessing
import os
import subprocess
import sys

import pytest

from cirron.delivery.claim import SpoolClaim
from cirron.faults import Faults

HOLDER = """
import sys
from pathlib import Path
from cirron.delivery.claim import SpoolClaim
from cirron.faults import Faults
claim = SpoolClaim(Path(sys.argv[1]), Faults())
print(claim.hold(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def claim(tmp_path):
    claim = SpoolClaim(tmp_path, Faults())
    yield claim
    claim.release()


@pytest.fixture
def other(tmp_path):
    """A process that has asked first, and holds on until it is killed."""
    command = [sys.executable, "-c", HOLDER, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def test_while_one_process_has_it_another_has_not(claim, other):
    assert not claim.hold()


def test_it_ends_with_its_process(claim, other):
    other.kill()
    other.wait()
    assert claim.hold()


def test_it_can_be_held_again_and_again_until_it_is_released(claim, tmp_path):
    rival = SpoolClaim(tmp_path, Faults())
    assert claim.hold()
    assert claim.hold()
    assert not rival.hold()
    claim.release()
    assert rival.hold()
    rival.release()


def test_a_forked_child_does_not_keep_it(claim, tmp_path):
    assert claim.hold()
    context = multiprocessing.get_context("fork")
    mine, childs = context.Pipe()

    def live_on():
        childs.send(claim.hold())
        childs.recv()

    child = context.Process(target=live_on)
    child.start()
    assert mine.recv() is False
    claim.release()
    rival = SpoolClaim(tmp_path, Faults())
    assert rival.hold()
    rival.release()
    mine.send("done")
    child.join()
    for end in (mine, childs):
        end.close()


def test_it_follows_a_folder_that_was_removed_and_made_anew(claim, tmp_path):
    assert claim.hold()
    (tmp_path / "sender.lock").rename(tmp_path / "old.lock")
    rival = SpoolClaim(tmp_path, Faults())
    assert rival.hold()
    assert not claim.hold()
    rival.release()


def test_without_a_folder_there_is_nothing_to_claim(tmp_path):
    faults = Faults()
    assert not SpoolClaim(tmp_path / "nowhere", faults).hold()
    assert faults.counts() == {}


def test_on_a_file_system_without_locks_every_process_sends(tmp_path, monkeypatch, caplog):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    claim = SpoolClaim(tmp_path, Faults())
    assert claim.hold()
    assert "may be sent twice" in caplog.text
    claim.release()


def test_a_descriptor_that_the_program_closed_and_used_again_is_left_alone(claim, tmp_path):
    """As a program that becomes a daemon does with all that are open."""
    assert claim.hold()
    number = claim._lock.descriptor
    with (tmp_path / "users.txt").open("w") as file:
        os.dup2(file.fileno(), number)
        rival = SpoolClaim(tmp_path, Faults())
        assert rival.hold()
        assert not claim.hold()
        assert os.write(number, b"still the user's") == 16
        os.close(number)
        rival.release()


def test_a_lock_that_fails_for_another_reason_is_not_had(tmp_path, monkeypatch, caplog):
    def refuse(descriptor, operation):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert not SpoolClaim(tmp_path, Faults()).hold()
    assert "nothing is sent" in caplog.text
