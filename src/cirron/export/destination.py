"""Where an export goes: whole or not at all, and never by accident over something that is there."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cirron.errors import CirronError


@dataclass(frozen=True)
class Sink:
    """A file that is being written.

    Attributes:
        file: takes the bytes.
        scratch_dir: a folder with as much room as the file has; None for the system's own.
    """

    file: IO[bytes]
    scratch_dir: Path | None = None

    def write(self, content: bytes) -> None:
        """Append to the file."""
        self.file.write(content)

    def scratch(self) -> IO[bytes]:
        """A file without a name, for what has to wait; it is gone once it is closed, however that comes about."""
        return tempfile.TemporaryFile(prefix=".cirron-", dir=self.scratch_dir)


@contextmanager
def new_file(path: Path, *, replace: bool) -> Iterator[Sink]:
    """A file that takes its name when the block ends well, and leaves nothing when it does not.

    What is no regular file, such as a device or a pipe, is written to directly.

    Args:
        path: the file.
        replace: whether it may be there already.

    Raises:
        CirronError: it is there, or cannot be written.

    Example:
        with new_file(Path("run.json"), replace=False) as sink:
            sink.write(b"{}")
    """
    target = _resolved(path)
    with _failures_told(path):
        _refuse(path, target, replace=replace, folder=False)
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield Sink(file)
            return
        part = _unheard_of(target)
        try:
            with part.open("xb") as file:
                yield Sink(file, target.parent)
            _refuse(path, target, replace=replace, folder=False)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def new_folder(path: Path, *, replace: bool) -> Iterator[Path]:
    """As `new_file` for a folder: gives an empty one to fill.

    In a folder that is there already, files of the same names are replaced and all others stay.

    Raises:
        CirronError: it is there with something in it, or cannot be written.
    """
    target = _resolved(path)
    with _failures_told(path):
        _refuse(path, target, replace=replace, folder=True)
        part = _unheard_of(target)
        try:
            part.mkdir()
            yield part
            _refuse(path, target, replace=replace, folder=True)
            _move(part, target)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)  # the reason why is on its way to the user
            raise


@contextmanager
def standard_output() -> Iterator[Sink]:
    """Standard output, as a file that takes bytes.

    Raises:
        CirronError: what is behind it refuses, for instance because the disk is full.
    """
    with _failures_told(Path("standard output")):
        yield Sink(sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _refuse(path: Path, target: Path, *, replace: bool, folder: bool) -> None:
    """Say what stands in the way, if anything does."""
    if folder:
        if target.exists() and not target.is_dir():
            raise CirronError(
                f"{path} is a file, and this format writes a folder: name another with --output"
            )
        in_the_way = target.is_dir() and any(target.iterdir())
    else:
        if target.is_dir():
            raise CirronError(f"{path} is a folder, and this format writes a file: name the file in it")
        in_the_way = target.is_file()
    if in_the_way and not replace:
        raise CirronError(f"{path} is there already: replace it with --force, or name another with --output")


@contextmanager
def _failures_told(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader of standard output has seen enough
        raise
    except OSError as error:
        # A library's own words may be longer than the system's.
        reason = os.strerror(error.errno) if error.errno else str(error)
        if not _resolved(path).parent.is_dir():
            reason = "there is no such folder"
        raise CirronError(
            f"cannot write {path}: {reason}; make room or name another place with --output"
        ) from error


def _move(part: Path, target: Path) -> None:
    if not target.is_dir():
        part.rename(target)
        return
    for file in part.iterdir():
        file.replace(target / file.name)
    part.rmdir()


def _resolved(path: Path) -> Path:
    """The path without links; unlike `Path.resolve` it takes a link to itself for what it is, a missing file."""
    return Path(os.path.realpath(path))


def _unheard_of(target: Path) -> Path:
    """A name beside the target that nobody else has, so that it may be removed whenever an interrupt comes."""
    return target.with_name(f".cirron-{secrets.token_hex(8)}.part")
