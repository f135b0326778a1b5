"""Deletes whole sessions from a `.cirron` folder, and what earlier sessions left behind there.

A run goes as a whole or stays as a whole: with one of its sessions still live, or kept, all of it stays.

What is left behind, the orphans:

- folders of snapshots that no session in the spool knows any more,
- folders in `sent/` without a batch that could be read, once their session is over,
- reasons in `rejected/` whose batch is gone.

No folder of snapshots goes while a batch that stays refers to it, be it waiting, rejected or unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cirron.spool.belongings import Belongings, list_belongings, list_snapshot_folders, size_of
from cirron.spool.delete import Deleted, count_anew, delete_path
from cirron.spool.files import SpoolFile
from cirron.spool.orphans import (
    folders_of_unread_batches,
    heads_of_growing_ids,
    is_fresh,
    lost_reasons,
    lost_sent_folders,
    rejected_batches,
)
from cirron.spool.reader import Reader
from cirron.spool.runs import Run, runs
from cirron.spool.session_list import Session, summarize


@dataclass(frozen=True)
class Leftover:
    """A file or folder that goes, and the room it takes."""

    path: Path
    size_bytes: int


@dataclass
class Clearing:
    """What is going to be deleted.

    Attributes:
        spool: the directory of the batches.
        runs: the runs that go.
        live: sessions that would go, had their run ended.
        batch_files: the batches of the runs that go, those in `sent/` among them where the reader gives them.
        snapshot_folders: their snapshots.
        orphans: what earlier sessions left behind.
        rejected: batches that servers rejected, which stay.
        unreadable: a file that may refer to snapshots but cannot be read, so that no folder of them can go,
            and no orphan.
    """

    spool: Path
    runs: list[Run] = field(default_factory=list)
    live: list[Session] = field(default_factory=list)
    batch_files: list[SpoolFile] = field(default_factory=list)
    snapshot_folders: list[Leftover] = field(default_factory=list)
    orphans: list[Leftover] = field(default_factory=list)
    rejected: list[Path] = field(default_factory=list)
    unreadable: OSError | None = None

    @property
    def sessions(self) -> list[Session]:
        """The sessions that go."""
        return [session for run in self.runs for session in run.sessions]

    @property
    def size_bytes(self) -> int:
        """The room that becomes free."""
        batches_bytes = sum(file.size_bytes for file in self.batch_files)
        return batches_bytes + sum(each.size_bytes for each in (*self.snapshot_folders, *self.orphans))

    def __bool__(self) -> bool:
        return bool(self.batch_files or self.snapshot_folders or self.orphans)


def plan_clearing(
    reader: Reader, choose: Callable[[list[Run]], Iterable[Run]], *, orphans: bool = True
) -> Clearing:
    """What to delete; reads all batches twice, one at a time. Seal the journals of dead processes before.

    Args:
        reader: of the spool, with what was sent from it; afterwards it says which files were left out.
        choose: given all runs, the one that started first first, gives those to delete.
        orphans: whether what earlier sessions left behind goes too.

    Example:
        >>> clearing = plan_clearing(read(".cirron", sent=True), lambda runs: runs[:-3])
        >>> carry_out(clearing).failures
        []
    """
    all_runs = runs(summarize(reader))
    chosen = list(choose(all_runs))
    belongings = list_belongings(reader)
    clearing = Clearing(reader.spool)
    clearing.runs = [run for run in chosen if not _live(run)]
    clearing.live = [session for run in chosen for session in _live(run)]
    clearing.batch_files = [file for each in clearing.sessions for file in belongings.batch_files[each.id]]
    if reader.spool.name == "spool":  # else its parent is no `.cirron`, and what lies there not ours
        try:
            _add_surroundings(clearing, reader, belongings, all_runs, orphans)
        except OSError as error:
            clearing.unreadable = error
    return clearing


def carry_out(clearing: Clearing) -> Deleted:
    """Delete what was planned; what cannot be deleted does not keep the rest, but for snapshots it refers to."""
    deleted = Deleted()
    try:
        for file in clearing.batch_files:
            delete_path(file.path, file.size_bytes, deleted)
        folders = [] if deleted.failures else clearing.snapshot_folders
        for leftover in (*folders, *clearing.orphans):
            delete_path(leftover.path, leftover.size_bytes, deleted)
        _remove_emptied_folders(clearing)
    finally:
        count_anew(clearing.spool)
    return deleted


def _remove_emptied_folders(clearing: Clearing) -> None:
    """Those under `sent/`; one that still holds something is an orphan now, for the next time."""
    for folder in {file.directory for file in clearing.batch_files} - {clearing.spool}:
        with suppress(OSError):
            folder.rmdir()


def _live(run: Run) -> list[Session]:
    return [session for session in run.sessions if session.ended == "live"]


def _leftover(path: Path) -> Leftover:
    return Leftover(path, size_of(path))


def _add_surroundings(
    clearing: Clearing, reader: Reader, belongings: Belongings, all_runs: list[Run], orphans: bool
) -> None:
    """What lies beside the batches.

    Raises:
        OSError: it cannot be told what is needed.
    """
    going = {session.id for session in clearing.sessions}
    staying = (session for run in all_runs for session in run.sessions if session.id not in going)
    clearing.rejected = rejected_batches(reader.spool)
    clearing.snapshot_folders, lost = _snapshot_folders(reader, belongings, going, staying)
    if orphans:
        occupied = {file.directory for files in belongings.batch_files.values() for file in files}
        lost += [*lost_reasons(reader.spool), *lost_sent_folders(reader.spool.parent, occupied)]
        clearing.orphans = [_leftover(path) for path in lost]


def _snapshot_folders(
    reader: Reader, belongings: Belongings, going: set[str], staying: Iterable[Session]
) -> tuple[list[Leftover], list[Path]]:
    """The folders of the sessions that go, and those of none; without any that are needed."""
    theirs: set[str] = set()
    needed = folders_of_unread_batches(reader)
    for session_id, folders in belongings.snapshot_folders.items():
        (theirs if session_id in going else needed).update(folders)
    growing = heads_of_growing_ids(reader.spool.parent, staying)
    free = [folder for folder in list_snapshot_folders(reader.spool.parent) if folder.name not in needed]
    lost = [folder for folder in free if folder.name not in theirs and not folder.name.startswith(growing)]
    return (
        [_leftover(folder) for folder in free if folder.name in theirs],
        [folder for folder in lost if not is_fresh(folder)],
    )
