"""Seals the journals that dead processes left behind, so that their records can be read."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

from cirron.spool.files import find_spool
from cirron.spool.problem import Problem

if TYPE_CHECKING:
    from cirron._recorder.native import Recovered


def seal_dead_journals(directory: str | os.PathLike[str]) -> "list[Recovered | Problem]":
    """Turn what killed processes left in their journals into batches; call it before reading a spool.

    Journals of live processes are left alone. Any number of processes may do this at once: each journal is
    sealed by one of them. A journal that cannot be sealed stays where it is, as it may be in order for the
    release that wrote it, or once the disk has room again.

    Args:
        directory: the spool directory, a `.cirron` directory, or a directory that holds one.

    Returns:
        One entry for each journal that was sealed (`Recovered`) or could not be (`Problem`).

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: the path is a file.

    Example:
        >>> for found in seal_dead_journals("runs/42"):
        ...     print(found)
    """
    spool = find_spool(directory)
    folder = spool.parent / "journal"
    _remove_unborn(folder)
    journals = sorted(folder.glob("*.journal"))
    outcomes = [_seal(journal, spool) for journal in journals]
    return [outcome for outcome in outcomes if outcome is not None]


def _seal(journal: Path, spool: Path) -> "Recovered | Problem | None":
    from cirron._recorder.native import recover  # only here: reading a spool needs no native core

    try:
        spool.mkdir(exist_ok=True)
        return recover(str(journal), str(spool))
    except (OSError, ValueError) as error:
        if not journal.exists():  # another process has just sealed it
            return None
        said = (isinstance(error, OSError) and error.strerror) or str(error)
        return Problem(journal, "journal", None, f"{said}; {_way_out(error)}")


def _remove_unborn(folder: Path) -> None:
    """Journals whose processes died before they had given them their name, and so before the first record."""
    for unborn in folder.glob("*.journal.new"):
        # An OSError: its process lives and holds the lock, or the file is gone. It holds no records.
        with contextlib.suppress(OSError), unborn.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unborn.unlink()


def _way_out(error: Exception) -> str:
    if isinstance(error, ValueError):
        return "open it with the release that wrote it, or delete it"
    return "its records stay in it until it can be sealed"
