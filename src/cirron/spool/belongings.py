"""What in a `.cirron` folder belongs to which session: batch files, and folders of snapshots."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cirron.spool.decode import load
from cirron.spool.files import SpoolFile
from cirron.spool.reader import Reader
from cirron.spool.records import Batch

FOLDER_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
_BLOB_URI = re.compile(
    rb"snapshots\\?/([0-9a-f]{32})\\?/"
)  # as it stands in JSON, where a slash may be escaped
_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 64


@dataclass(slots=True)
class Belongings:
    """What is whose, by the id of the session.

    Attributes:
        batch_files: the batches, the oldest first, with copies of them under other names.
        snapshot_folders: the names of folders under `snapshots/`, because the session recorded the span or one of
            its snapshots refers to the folder.
    """

    batch_files: dict[str, list[SpoolFile]] = field(default_factory=lambda: defaultdict(list))
    snapshot_folders: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def list_belongings(reader: Reader) -> Belongings:
    """What belongs to which session; reads all batches once, one at a time."""
    belongings = Belongings()
    there = {path.name for path in list_snapshot_folders(reader.spool.parent)}
    for file, batch in reader.entries():
        session_id = reader.session_of(batch)
        belongings.batch_files[session_id].append(file)
        belongings.snapshot_folders[session_id].update(_folders(batch, there))
    for file, batch in _copies(reader):
        belongings.batch_files[reader.session_of(batch)].append(file)
    return belongings


def list_snapshot_folders(output_dir: Path) -> list[Path]:
    """The folders of snapshot files, one a span; what is not named like them is somebody else's."""
    try:
        with os.scandir(output_dir / "snapshots") as entries:
            return sorted(
                Path(entry.path)
                for entry in entries
                if FOLDER_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            )
    except FileNotFoundError:
        return []


def folders_mentioned(path: Path) -> set[str]:
    """The snapshot folders that a file mentions, whether it can be read as a batch or not.

    Raises:
        OSError: the system does not let it be read.
    """
    found: set[str] = set()
    with path.open("rb") as file:
        tail = b""
        while chunk := file.read(_CHUNK_BYTES):
            content = tail + chunk
            found.update(match[1].decode() for match in _BLOB_URI.finditer(content))
            tail = content[-_OVERLAP_BYTES:]
    return found


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files in a folder; 0 for what is gone."""
    try:
        if path.is_dir() and not path.is_symlink():
            return sum(size_of(below) for below in path.iterdir())
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _folders(batch: Batch, there: set[str]) -> Iterator[str]:
    if there:
        yield from there.intersection(span.id for span in batch.spans)
        yield from filter(None, (_folder_of(snapshot.blob_uri) for snapshot in batch.snapshots))


def _copies(reader: Reader) -> Iterator[tuple[SpoolFile, Batch]]:
    """Batches that a reader met a second time: where the first goes, the copy would stand in for it."""
    copies = {problem.path for problem in reader.problems if problem.kind == "duplicate"}
    for file in reader.files() if copies else ():
        batch = load(file.path) if file.path in copies else None
        if isinstance(batch, Batch):
            yield file, batch


def _folder_of(blob_uri: str | None) -> str | None:
    parts = (blob_uri or "").split("/")
    return parts[1] if len(parts) == 3 and parts[0] == "snapshots" else None
