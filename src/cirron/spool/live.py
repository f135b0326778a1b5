"""What a session that is still recording has open; no batch holds it yet."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

import msgspec

from cirron.errors import CirronError
from cirron.spool.records import ATTR_INTERRUPTED, Span

# An id comes out of somebody's file and becomes part of a path here; such as this leads nowhere else.
_SESSION_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)

_WAY_OUT = "the batches can be read all the same"

_decode_spans = msgspec.json.Decoder(list[Span]).decode


def open_spans(spool: Path, session_id: str) -> list[Span]:
    """The scopes that a session has open at this instant, in all its threads, its root span included.

    The session is read from outside and does not notice. Ask before you read the batches: a scope that closes in
    between is then met twice, and the span with the end is the one that counts; the other way round it might be
    met not at all. A killed session has open what it died in, until `seal_dead_journals` has sealed it; these spans are
    marked as interrupted.

    Args:
        spool: the spool directory, as `Reader.spool` has it.
        session_id: of any session; one that has no journal (any more) has nothing open.

    Raises:
        CirronError: there is a journal that cannot be read.

    Example:
        >>> [span.name for span in open_spans(reader.spool, session.id)]
        ['forward', 'batch', 'epoch', 'cirron.session']
    """
    journal = journal_of(spool, session_id)
    if journal is None:
        return []
    try:
        spans = _read(journal)
        return spans if is_held(journal) else [_interrupted(span) for span in spans]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CirronError(f"{journal}: {error.strerror or error}; {_WAY_OUT}") from error
    except (ValueError, msgspec.DecodeError) as error:
        raise CirronError(f"{journal}: {error}; {_WAY_OUT}, this with the release that wrote it") from error


def journal_of(spool: Path, session_id: str) -> Path | None:
    """Where the session's journal is while it has one; None for an id that is none."""
    if _SESSION_ID.fullmatch(session_id) is None:
        return None
    return spool.parent / "journal" / f"{session_id}.journal"


def is_held(journal: Path) -> bool:
    """Whether a process that lives has the journal; one without may still be there, where it cannot be sealed."""
    try:
        descriptor = os.open(journal, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:  # what cannot be opened cannot be told from one that is held
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # its process has it locked, or the file system knows no locks
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _interrupted(span: Span) -> Span:
    return msgspec.structs.replace(span, attrs=span.attrs | {ATTR_INTERRUPTED: True})


def _read(journal: Path) -> list[Span]:
    from cirron._recorder.native import peek  # only here: reading a spool needs no native core

    return _decode_spans(peek(str(journal)))
