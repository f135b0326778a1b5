"""Batches that a server has, kept for as long as their session may read them back."""

from __future__ import annotations

import atexit
import os
import re
import shutil
from pathlib import Path

from cirron.faults import Faults

SENT_MAX_BYTES = 128 * 1024 * 1024
GOAL_SHARE = 0.75  # when room is made: to list the folder for every batch would cost too much

PLACE = "delivered batch"

_SESSION_ID = re.compile("[0-9a-f]{32}", re.ASCII)  # what else lies there is not ours

_own: dict[int, set[str]] = {}  # the sessions of each process: a forked child has its parent's as well
_kept: list[Path] = []  # folders of own sessions, which go with the process


class SentFolder:
    """`sent/<session_id>/`, within a size of its own.

    Args:
        output_dir: the folder with `sent/` and `journal/` in it.
        own_session_id: a session of this process, live whether it has a journal or not; None in a process that
            records nothing.
        faults: takes what goes wrong.
    """

    def __init__(self, output_dir: Path, own_session_id: str | None, faults: Faults) -> None:
        self._folder = output_dir / "sent"
        self._journals = output_dir / "journal"
        if own_session_id is not None:
            _own.setdefault(os.getpid(), set()).add(own_session_id)
        self._faults = faults
        self._used_bytes: int | None = None  # None until the folder was listed

    def wants(self, session_id: str) -> bool:
        """Whether the session may still read its batches: it is live, or a handle of it may be in this process."""
        is_ours = session_id in _own.get(os.getpid(), ())
        return is_ours or (self._journals / f"{session_id}.journal").exists()

    def take(self, path: Path, session_id: str) -> bool:
        """Move a batch out of the spool, and let the oldest go if that is too much; whether it was moved."""
        try:
            size_bytes = path.stat().st_size
            folder = self._folder / session_id
            self._make(folder)
            path.rename(folder / path.name)
        except FileNotFoundError:  # the cap was quicker
            return False
        except OSError as error:
            self._faults.note(
                PLACE, error, f"a delivered batch cannot be kept in {self._folder}, and is removed"
            )
            return False
        self._grown_by(size_bytes)
        return True

    def sweep(self) -> None:
        """Remove the batches of sessions that are over."""
        try:
            for folder in list(self._folder.iterdir()):
                if _SESSION_ID.fullmatch(folder.name) and not self.wants(folder.name):
                    shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:  # the usual case: nothing was ever kept
            return
        except OSError:  # the writer meets the same folder, and has more to say about it
            self._faults.count(PLACE)

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            if folder.name in _own.get(os.getpid(), ()):
                _remove_at_exit(folder)

    def _grown_by(self, size_bytes: int) -> None:
        if self._used_bytes is not None:
            self._used_bytes += size_bytes
        if self._used_bytes is None or self._used_bytes > SENT_MAX_BYTES:
            try:
                self._make_room()
            except OSError as error:
                self._faults.note(PLACE, error, f"{self._folder} may outgrow {SENT_MAX_BYTES:,} bytes")

    def _make_room(self) -> None:
        self.sweep()
        kept = sorted(self._folder.glob("*/*.json"), key=lambda path: path.name)
        sizes = {path: _size_bytes(path) for path in kept}
        self._used_bytes = sum(sizes.values())
        is_full = self._used_bytes > SENT_MAX_BYTES
        for path in kept if is_full else ():
            if self._used_bytes <= GOAL_SHARE * SENT_MAX_BYTES:
                break
            path.unlink(missing_ok=True)
            self._used_bytes -= sizes[path]


def _remove_at_exit(folder: Path) -> None:
    if not _kept:
        atexit.register(_remove_kept, os.getpid())
    _kept.append(folder)


def _remove_kept(pid: int) -> None:
    for folder in _kept if os.getpid() == pid else ():
        shutil.rmtree(folder, ignore_errors=True)


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
