"""What a session that is still recording has open; no batch holds it yet."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from cirron.errors import CirronError
from cirron.spool.records import Span

# An id comes out of somebody's file and becomes part of a path here; such as this leads nowhere else.
_SESSION_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)

_WAY_OUT = "the batches can be read all the same"

_decode_spans = msgspec.json.Decoder(list[Span]).decode


def open_spans(spool: Path, session_id: str) -> list[Span]:
    """The scopes that a session has open at this instant, in all its threads, its root span included.

    The session is read from outside and does not notice. Ask before you read the batches: a scope that closes in
    between is then met twice, and the span with the end is the one that counts; the other way round it might be
    met not at all. A killed session has open what it died in, until `seal_dead_journals` was called.

    Args:
        spool: the spool directory, as `Reader.spool` has it.
        session_id: of any session; one that has no journal (any more) has nothing open.

    Raises:
        CirronError: there is a journal that cannot be read.

    Example:
        >>> [span.name for span in open_spans(reader.spool, session.id)]
        ['forward', 'batch', 'epoch', 'cirron.session']
    """
    if _SESSION_ID.fullmatch(session_id) is None:
        return []
    journal = spool.parent / "journal" / f"{session_id}.journal"
    try:
        return _read(journal)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CirronError(f"{journal}: {error.strerror or error}; {_WAY_OUT}") from error
    except (ValueError, msgspec.DecodeError) as error:
        raise CirronError(f"{journal}: {error}; {_WAY_OUT}, this with the release that wrote it") from error


def _read(journal: Path) -> list[Span]:
    from cirron._recorder.native import peek  # only here: reading a spool needs no native core

    return _decode_spans(peek(str(journal)))
