"""What can be told of a spool's sessions without decoding their records, which is ten times as fast."""

from __future__ import annotations

import msgspec

from cirron.spool.files import SpoolFile
from cirron.spool.reader import Reader
from cirron.spool.records import Clock, Id
from cirron.spool.session_list import Session, summarize


class _Head(msgspec.Struct, gc=False):
    session_id: Id | None = None
    run_id: str | None = None
    host: str | None = None
    pid: int | None = None
    rank: int | None = None
    world_size: int | None = None
    worker: str | None = None
    parent_session_id: str | None = None
    clock: Clock | None = None


_decode = msgspec.json.Decoder(_Head).decode


def glance(reader: Reader) -> list[Session]:
    """The sessions of a spool, the one that started first first, with less said of each than by `summarize`.

    The last time is that of the last batch; spans, marks and snapshots are not counted, nor is it said how the
    session ended. Files that cannot be read are passed over: whoever reads the records meets them again.

    Args:
        reader: of the spool, one that gives all sessions.

    Example:
        >>> newest = runs(glance(read(".cirron")))[-1]
    """
    found: dict[str, Session] = {}
    for file in reader.files():
        head = _head_of(file)
        if head is None:
            continue
        if head.session_id is None:  # only the records tell whose it is
            return summarize(reader)
        _add(found.setdefault(head.session_id, Session(head.session_id)), file, head)
    return sorted(found.values(), key=lambda session: (session.started_ns, session.id))


def _head_of(file: SpoolFile) -> _Head | None:
    try:
        return _decode(file.path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _add(session: Session, file: SpoolFile, head: _Head) -> None:
    session.run_id, session.host = head.run_id, head.host
    session.pid, session.rank, session.world_size = head.pid or 0, head.rank or 0, head.world_size or 1
    session.worker, session.parent_session_id = head.worker, head.parent_session_id
    began_ns = head.clock.wall_ns if head.clock else file.created_ns
    session.started_ns = min(session.started_ns or began_ns, began_ns)
    session.last_ns = max(session.last_ns, file.created_ns)
    session.files += 1
    session.size_bytes += file.size_bytes
