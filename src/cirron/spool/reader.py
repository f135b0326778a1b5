"""Reads a spool as a stream of batches; a file that cannot be read is reported and left out."""

import os
from collections.abc import Collection, Iterator
from itertools import chain, pairwise
from operator import attrgetter

from cirron.spool.decode import Shape, load_as
from cirron.spool.files import SpoolFile, find_spool, scan
from cirron.spool.problem import Problem
from cirron.spool.records import AnyBatch, Batch
from cirron.spool.session_names import name_sessions

UNKNOWN_SESSION = "pid-0"  # of a batch that was removed before its process could be told


class Reader:
    """The batches of one spool, and what was wrong with the files that gave none.

    Attributes:
        spool: the directory that is read.
        problems: what the latest pass over the batches found wrong, in the order it was met.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        session: str | Collection[str] | None = None,
        *,
        sent: bool = False,
    ) -> None:
        self.spool = find_spool(directory)
        self._with_sent = sent
        self.problems: list[Problem] = []
        self._wanted = session
        self._unnamed: dict[str, str] = {}

    def batches(self, *, newest_first: bool = False) -> Iterator[Batch]:
        """Each batch, oldest first or the other way round; one file is in memory at a time.

        Every call is a new pass.
        """
        for _, batch in self.entries(newest_first=newest_first):
            yield batch

    def entries(self, *, newest_first: bool = False) -> Iterator[tuple[SpoolFile, Batch]]:
        """Each batch together with the file it came from; otherwise as `batches`."""
        for file, batch in self._all(Batch, newest_first=newest_first):
            if self._wants(batch):
                yield file, batch

    def lean_batches(self, shape: type[Shape]) -> Iterator[tuple[Shape, int]]:
        """Each batch, newest first, with the time at which the next older one was sealed; 0 for the last.

        Args:
            shape: `LeanBatch` or `TimesBatch`, which skip what not every reader needs, and so take less time.
        """
        wanted = (batch for _, batch in self._all(shape, newest_first=True) if self._wants(batch))
        for batch, older in pairwise(chain(wanted, [None])):
            if batch is not None:
                yield batch, older.created_ns if older is not None else 0

    def files(self) -> list[SpoolFile]:
        """The batch files, oldest first; those of all sessions, as their names do not tell them apart."""
        return self._scan()[0]

    def session_of(self, batch: AnyBatch) -> str:
        """The id of the session that wrote the batch, found by other means where the batch names none."""
        if batch.session_id is not None:
            return batch.session_id
        if batch.batch_id not in self._unnamed:  # at first, and for a batch that was written since
            every_batch = (named for _, named in Reader(self.spool, sent=self._with_sent)._all(Batch))
            self._unnamed = name_sessions(every_batch)
        return self._unnamed.get(batch.batch_id, UNKNOWN_SESSION)

    def _wants(self, batch: AnyBatch) -> bool:
        if self._wanted is None:
            return True
        session_id = self.session_of(batch)
        if isinstance(self._wanted, str):
            return session_id.startswith(self._wanted)
        return session_id in self._wanted

    def _all(self, shape: type[Shape], *, newest_first: bool = False) -> Iterator[tuple[SpoolFile, Shape]]:
        self.problems.clear()
        self._unnamed = {}
        files, foreign = self._scan()
        self.problems.extend(foreign)
        first: dict[str, str] = {}
        for file in reversed(files) if newest_first else files:
            batch = self._load(file, shape)
            if batch is not None and self._is_new(batch, file, first):
                yield file, batch

    def _scan(self) -> tuple[list[SpoolFile], list[Problem]]:
        files, problems = scan(self.spool)
        if self._with_sent:
            # After the spool: what is delivered meanwhile moves from there to here.
            folders = sorted((self.spool.parent / "sent").glob("*/"))
            files = sorted(chain(files, *(scan(folder)[0] for folder in folders)), key=attrgetter("name"))
        return files, problems

    def load(self, file: SpoolFile, shape: type[Shape]) -> Shape | Problem | None:
        """The batch in a file, as `cirron.spool.decode.load_as`, wherever it has moved to since it was listed."""
        found = load_as(file.path, shape)
        if found is None and self._with_sent:
            moved = next((self.spool.parent / "sent").glob(f"*/{file.name}"), None)
            return None if moved is None else load_as(moved, shape)
        return found

    def _load(self, file: SpoolFile, shape: type[Shape]) -> Shape | None:
        found = self.load(file, shape)
        if isinstance(found, Problem):
            self.problems.append(found)
            return None
        return found

    def _is_new(self, batch: AnyBatch, file: SpoolFile, first: dict[str, str]) -> bool:
        earlier = first.setdefault(batch.batch_id, file.name)
        if earlier == file.name:
            return True
        reason = f"batch {batch.batch_id} was already read from {earlier}"
        self.problems.append(Problem(file.path, "duplicate", "$.batch_id", reason))
        return False


def read(
    directory: str | os.PathLike[str], session: str | Collection[str] | None = None, *, sent: bool = False
) -> Reader:
    """Open a spool for reading.

    Args:
        directory: the spool directory, a `.cirron` directory, or a directory that holds one.
        session: give only the batches of sessions whose id begins so, or whose ids are in this collection.
        sent: give also what live sessions have delivered to a server already, as far as it is still there.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: the path is a file.

    Example:
        >>> reader = read("runs/42")
        >>> spans = sum(len(batch.spans) for batch in reader.batches())
        >>> for problem in reader.problems:
        ...     print(problem)
    """
    return Reader(directory, session, sent=sent)
