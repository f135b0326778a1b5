"""The right to send from a spool, which one process at a time has."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import NamedTuple

from cirron.delivery.forks import abandon_in_children
from cirron.faults import Faults

PLACE = "sender lock"
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})


class SpoolClaim:
    """A lock on `sender.lock`; it ends with the process that holds it, however that ends.

    Ranks and workers share a spool, and each of its batches shall be sent once.

    Args:
        output_dir: the folder with `spool/` in it.
        faults: hears of file systems that have no locks.

    Example:
        claim = SpoolClaim(Path(".cirron"), faults)
        if claim.hold():
            ...
        claim.release()
    """

    def __init__(self, output_dir: Path, faults: Faults) -> None:
        self._path = output_dir / "sender.lock"
        self._faults = faults
        self._lock: _Lock | None = None
        abandon_in_children(self)

    def hold(self) -> bool:
        """Whether this process has the right now; it does not wait for another to let go."""
        if self._lock is not None and self._is_current(self._lock):
            return True
        self.release()
        return self._take()

    def release(self) -> None:
        """Let others send."""
        lock, self._lock = self._lock, None
        if lock is not None and lock.is_open():
            os.close(lock.descriptor)

    def abandon(self) -> None:
        """In a forked child: the lock is the parent's, and must not live as long as the child does."""
        self.release()

    def _take(self) -> bool:
        try:
            lock = _Lock.on(self._path)
        except FileNotFoundError:  # there is no folder, and so nothing to send
            return False
        except OSError as error:
            self._faults.note(PLACE, error, f"{self._path} cannot be opened, so nothing is sent from there")
            return False
        if self._locked(lock) and self._is_current(lock):
            self._lock = lock
        else:
            os.close(lock.descriptor)
        return self._lock is not None

    def _locked(self, lock: _Lock) -> bool:
        try:
            fcntl.flock(lock.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            has_locks = error.errno not in NO_LOCKS
            consequence = (
                "nothing is sent" if has_locks else "a batch may be sent twice, which a server notices"
            )
            self._faults.note(PLACE, error, f"{self._path} cannot be locked, so {consequence}")
            return not has_locks
        return True

    def _is_current(self, lock: _Lock) -> bool:
        """Whether the path still leads to what is locked: the folder may have been removed and made anew."""
        with contextlib.suppress(OSError):
            return lock.is_open() and os.path.samestat(lock.status, self._path.stat())
        return False


class _Lock(NamedTuple):
    """An open lock file, and what it was when it was opened."""

    descriptor: int
    status: os.stat_result

    @classmethod
    def on(cls, path: Path) -> _Lock:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return cls(descriptor, os.fstat(descriptor))

    def is_open(self) -> bool:
        """False when a program that becomes a daemon has closed it, and the number may be another file's now."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self.descriptor), self.status)
        return False
