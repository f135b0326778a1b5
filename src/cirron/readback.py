"""What one session has recorded, read back while it runs or after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from cirron._version import __version__
from cirron.spool.decode import load
from cirron.spool.files import list_files
from cirron.spool.records import Batch, Span

CLOCK_SLACK_NS = 60 * 10**9  # the name of a batch never lies further than this before its session's start


def sealed_batches(output_dir: Path, session_id: str, started_ns: int) -> Iterator[Batch]:
    """The session's batches: those in the spool, and those that a server has."""
    seen: set[str] = set()
    # In this order: a batch that is delivered meanwhile moves from the first to the second.
    for folder in (output_dir / "spool", output_dir / "sent" / session_id):
        for batch in _batches(folder, session_id, started_ns) if folder.is_dir() else ():
            if batch.batch_id not in seen:
                seen.add(batch.batch_id)
                yield batch


def _batches(folder: Path, session_id: str, started_ns: int) -> Iterator[Batch]:
    for file in list_files(folder):
        # Told from the name alone: the spool may hold gigabytes of earlier sessions.
        if file.created_ns >= started_ns - CLOCK_SLACK_NS:
            batch = load(file.path)
            if isinstance(batch, Batch) and batch.session_id == session_id:
                yield batch


def batch_of_open_spans(spans: bytes, session_id: str) -> Batch:
    """Spans that no file holds yet, as a batch that was never written.

    Args:
        spans: as `Recorder.open_spans` gives them.
        session_id: of the session that has them open.
    """
    return Batch(
        schema_version=1,
        sdk_version=__version__,
        batch_id="0" * 32,
        created_ns=time.time_ns(),
        spans=msgspec.json.decode(spans, type=list[Span]),
        marks=[],
        snapshots=[],
        session_id=session_id,
    )
