"""Where a spool lies and which batch files it holds, told from names alone."""

import os
import re
import stat
from operator import attrgetter
from pathlib import Path

from msgspec import Struct

from cirron.spool.problem import Problem

FILE_MAX_BYTES = 256 * 1024 * 1024

BATCH_NAME = re.compile(r"([0-9]{20})-([0-9a-f]{32})\.json", re.ASCII)


# gc=False: a spool may hold 100,000 of these, none part of a cycle, and the collector would walk them all.
class SpoolFile(Struct, frozen=True, gc=False):
    """A batch file as its directory entry shows it; nothing of it has been read."""

    directory: Path
    name: str
    created_ns: int
    batch_id: str
    size_bytes: int

    @property
    def path(self) -> Path:
        """The file's path."""
        return self.directory / self.name


def find_spool(directory: str | os.PathLike[str]) -> Path:
    """The spool directory meant by a path to it, to a `.cirron` directory, or to a directory holding one.

    Args:
        directory: any of the three. A `.cirron` in which nothing was spooled yet gives a path that does
            not exist.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: the path is a file.

    Example:
        >>> find_spool("runs/42")
        PosixPath('runs/42/.cirron/spool')
    """
    given = Path(directory)
    _require_directory(given)
    if given.name == ".cirron":
        return given / "spool"
    if (given / ".cirron").is_dir():
        return given / ".cirron" / "spool"
    return given / "spool" if (given / "spool").is_dir() else given


def _require_directory(given: Path) -> None:
    way_out = "name a spool directory, a .cirron directory, or a directory that holds one"
    if not given.exists():
        raise FileNotFoundError(f"no spool at {given}: the directory does not exist; {way_out}")
    if not given.is_dir():
        raise NotADirectoryError(f"no spool at {given}: it is a file; {way_out}")


def list_files(directory: str | os.PathLike[str]) -> list[SpoolFile]:
    """The batch files of a spool, oldest first, without opening any of them.

    Args:
        directory: as for `find_spool`.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: the path is a file.

    Example:
        >>> sum(file.size_bytes for file in list_files(".cirron"))
        2633547
    """
    return scan(find_spool(directory))[0]


def scan(spool: Path) -> tuple[list[SpoolFile], list[Problem]]:
    """Sort a directory's entries into batch files, oldest first, and `.json` entries that are none.

    Anything that does not end in `.json` is somebody else's and passes unmentioned, `.json.tmp` files too:
    they are batches on their way, or what a kill left of one.
    """
    files: list[SpoolFile] = []
    problems: list[Problem] = []
    for entry in _entries(spool):
        found = _classify(spool, entry)
        if isinstance(found, SpoolFile):
            files.append(found)
        elif found is not None:
            problems.append(found)
    return sorted(files, key=attrgetter("name")), sorted(problems)  # a name begins with its age


def _entries(spool: Path) -> list[os.DirEntry[str]]:
    """The directory's entries; none when nothing was spooled yet."""
    try:
        with os.scandir(spool) as entries:
            return [entry for entry in entries if entry.name.endswith(".json")]
    except FileNotFoundError:
        return []


def _classify(spool: Path, entry: os.DirEntry[str]) -> SpoolFile | Problem | None:
    match = BATCH_NAME.fullmatch(entry.name)
    if match is None:
        return Problem(spool / entry.name, "foreign", None, "not named <20 digits>-<32 hex digits>.json")
    try:
        if not entry.is_file(follow_symlinks=False):  # a link may lead to what is nobody else's business
            return Problem(spool / entry.name, "foreign", None, "not a regular file")
        return SpoolFile(spool, entry.name, int(match[1]), match[2], entry.stat().st_size)
    except FileNotFoundError:  # a sender was done with it between the listing and now
        return None
    except OSError as error:
        return Problem(spool / entry.name, "unreadable", None, error.strerror or str(error))


def read_batch_file(path: Path) -> bytes:
    """The content of a batch file, and of nothing else: no link out of the spool is followed, no pipe waited for.

    Raises:
        FileNotFoundError: it is gone.
        OSError: it cannot be read, is no regular file, or is larger than a batch may be.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path.name} is no regular file")
        if status.st_size > FILE_MAX_BYTES:
            raise OSError(f"it is larger than the {FILE_MAX_BYTES:,} bytes that a batch may have")
        return file.read()
