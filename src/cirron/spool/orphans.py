"""What earlier sessions left behind in a `.cirron` folder, and what of it something may still need."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from cirron.spool.belongings import FOLDER_NAME, folders_mentioned
from cirron.spool.reader import Reader
from cirron.spool.session_list import Session

FRESH_S = 3600.0  # a folder of snapshots changed since then may be of a batch that is not sealed yet

_ID_HEAD = 16  # digits that all ids of one recorder share
_REASON = ".reason.json"


def folders_of_unread_batches(reader: Reader) -> set[str]:
    """The snapshot folders that are mentioned by files no reader gives: rejected batches, and unreadable ones.

    Args:
        reader: after a pass over its batches.

    Raises:
        OSError: of some file this cannot be told.
    """
    found: set[str] = set()
    for path in (*_problems(reader), *rejected_batches(reader.spool)):
        found |= folders_mentioned(path)
    return found


def heads_of_growing_ids(output_dir: Path, sessions: Iterable[Session]) -> tuple[str, ...]:
    """How ids begin whose recorders may still be at work: they have spans that are in no batch yet."""
    journals = (journal.name for journal in (output_dir / "journal").glob("*.journal"))
    open_ended = (session.id for session in sessions if session.ended in ("live", "unknown"))
    return tuple(name[:_ID_HEAD] for name in (*journals, *open_ended))


def is_fresh(folder: Path) -> bool:
    """Whether it was changed a short while ago."""
    try:
        return folder.stat().st_mtime > time.time() - FRESH_S
    except FileNotFoundError:
        return False


def lost_reasons(spool: Path) -> list[Path]:
    """Reasons for which servers rejected batches that are gone."""
    paths = set(_rejected(spool))
    reasons = (path for path in paths if path.name.endswith(_REASON))
    return sorted(
        path for path in reasons if path.with_name(path.name[: -len(_REASON)] + ".json") not in paths
    )


def lost_sent_folders(output_dir: Path, of_sessions: Collection[Path]) -> list[Path]:
    """What was delivered, and kept for sessions of which no reader knows any more.

    Args:
        output_dir: the folder with `sent/` and `journal/` in it.
        of_sessions: the folders that hold a batch of some session.
    """
    return sorted(
        folder
        for folder in (output_dir / "sent").glob("*")
        if FOLDER_NAME.fullmatch(folder.name)
        and folder not in of_sessions
        and not (output_dir / "journal" / f"{folder.name}.journal").exists()
    )


def rejected_batches(spool: Path) -> list[Path]:
    """The batches that servers rejected, in any order."""
    return [path for path in _rejected(spool) if not path.name.endswith(_REASON)]


def _problems(reader: Reader) -> Iterator[Path]:
    for problem in reader.problems:
        if problem.kind != "duplicate" and problem.path.is_file():
            yield problem.path


def _rejected(spool: Path) -> list[Path]:
    try:
        with os.scandir(spool / "rejected") as entries:
            return [Path(each.path) for each in entries if each.name.endswith(".json") and each.is_file()]
    except FileNotFoundError:  # no server has rejected anything so far
        return []
