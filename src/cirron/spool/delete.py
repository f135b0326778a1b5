"""Takes batches out of a spool, and has whoever shares it count anew how much room they take."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cirron.spool.files import SpoolFile
from cirron.spool.usage import Usage


@dataclass(slots=True)
class Deleted:
    """What became of a deletion.

    Attributes:
        files: how many are gone, not counting those that somebody else had removed before.
        size_bytes: the room they took.
        failures: why others are still there; each names its file.
    """

    files: int = 0
    size_bytes: int = 0
    failures: list[OSError] = field(default_factory=list)


def delete_batches(spool: Path, files: Iterable[SpoolFile]) -> Deleted:
    """Delete batch files; one that cannot be deleted does not keep the others.

    Args:
        spool: the directory that holds the batches, as `find_spool` gives it.
        files: which of them.

    Example:
        >>> delete_batches(Path(".cirron/spool"), list_files(".cirron")).files
        3
    """
    deleted = Deleted()
    try:
        for file in files:
            _delete_file(file.path, file.size_bytes, deleted)
    finally:
        count_anew(spool)
    return deleted


def delete_path(path: Path, size_bytes: int, deleted: Deleted) -> None:
    """Delete a file, or a folder with all that is in it, and add to `deleted` what came of it."""
    if not path.is_dir() or path.is_symlink():
        _delete_file(path, size_bytes, deleted)
        return
    try:
        _remove_folder(path)
    except OSError as error:
        deleted.failures.append(error)
        return
    deleted.files += 1
    deleted.size_bytes += size_bytes


def count_anew(spool: Path) -> None:
    """Withdraw the number of bytes that the processes of a spool share: the next of them lists the directory."""
    path = spool.parent / "usage"
    usage = Usage(path)
    if usage.peek() is None:  # nobody has counted so far, or the file is not cirron's
        return
    # Whoever holds the number now, or has no right to it, is left with one too large, and so lists soon anyway.
    with contextlib.suppress(OSError), usage.held() as held:
        held.forget()


def _remove_folder(path: Path) -> None:
    while path.exists():
        with contextlib.suppress(
            FileNotFoundError
        ):  # another removes it as well, which must not stop us half-way
            shutil.rmtree(path)


def _delete_file(path: Path, size_bytes: int, deleted: Deleted) -> None:
    try:
        path.unlink()
    except FileNotFoundError:  # a sender or the cap was quicker
        return
    except OSError as error:
        deleted.failures.append(error)
        return
    deleted.files += 1
    deleted.size_bytes += size_bytes
