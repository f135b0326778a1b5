"""Reads a spool as a stream of batches; a file that cannot be read is reported and left out."""

import os
from collections.abc import Iterator

from cirron.spool.decode import load
from cirron.spool.files import SpoolFile, find_spool, scan
from cirron.spool.problem import Problem
from cirron.spool.records import Batch
from cirron.spool.session_names import name_sessions


class Reader:
    """The batches of one spool, and what was wrong with the files that gave none.

    Attributes:
        spool: the directory that is read.
        problems: what the latest pass over the batches found wrong, in the order it was met.
    """

    def __init__(self, directory: str | os.PathLike[str], session: str | None = None) -> None:
        self.spool = find_spool(directory)
        self.problems: list[Problem] = []
        self._wanted = session
        self._unnamed: dict[str, str] | None = None

    def batches(self) -> Iterator[Batch]:
        """Each batch, oldest first; one file is in memory at a time. Every call is a new pass."""
        for _, batch in self.entries():
            yield batch

    def entries(self) -> Iterator[tuple[SpoolFile, Batch]]:
        """Each batch together with the file it came from; otherwise as `batches`."""
        for file, batch in self._all():
            if self._wanted is None or self.session_of(batch).startswith(self._wanted):
                yield file, batch

    def session_of(self, batch: Batch) -> str:
        """The id of the session that wrote the batch, found by other means where the batch names none."""
        if batch.session_id is not None:
            return batch.session_id
        if self._unnamed is None:
            self._unnamed = name_sessions(batch for _, batch in Reader(self.spool)._all())
        # A batch written since that other pass is new to it; alone, it still tells its process.
        return self._unnamed.get(batch.batch_id) or name_sessions([batch])[batch.batch_id]

    def _all(self) -> Iterator[tuple[SpoolFile, Batch]]:
        self.problems.clear()
        self._unnamed = None
        files, foreign = scan(self.spool)
        self.problems.extend(foreign)
        first: dict[str, str] = {}
        for file in files:
            batch = self._load(file)
            if batch is not None and self._is_new(batch, file, first):
                yield file, batch

    def _load(self, file: SpoolFile) -> Batch | None:
        found = load(file.path)
        if isinstance(found, Problem):
            self.problems.append(found)
            return None
        return found

    def _is_new(self, batch: Batch, file: SpoolFile, first: dict[str, str]) -> bool:
        earlier = first.setdefault(batch.batch_id, file.name)
        if earlier == file.name:
            return True
        reason = f"batch {batch.batch_id} was already read from {earlier}"
        self.problems.append(Problem(file.path, "duplicate", "$.batch_id", reason))
        return False


def read(directory: str | os.PathLike[str], session: str | None = None) -> Reader:
    """Open a spool for reading.

    Args:
        directory: the spool directory, a `.cirron` directory, or a directory that holds one.
        session: give only the batches of sessions whose id begins so.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: the path is a file.

    Example:
        >>> reader = read("runs/42")
        >>> spans = sum(len(batch.spans) for batch in reader.batches())
        >>> for problem in reader.problems:
        ...     print(problem)
    """
    return Reader(directory, session)
