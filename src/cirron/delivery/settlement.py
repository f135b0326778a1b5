"""What becomes of a batch's file once a server has taken the batch, or refused it for good."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cirron.delivery.outcome import Delivered, Rejected
from cirron.delivery.sent import SentFolder

_SESSION_ID = re.compile(rb'"session_id"\s*:\s*"([0-9a-f]{32})"')
_HEAD_BYTES = 4096  # the session's id stands before the records


class Settlement:
    """Takes batches out of one spool.

    Args:
        spool_dir: where they lie.
        sent: takes what was delivered while its session may still read it.
        removed: told the size of each batch that left the spool.

    Example:
        Settlement(spool_dir, sent).settle(name, content, Delivered())
    """

    def __init__(
        self, spool_dir: Path, sent: SentFolder, removed: Callable[[int], None] = lambda _: None
    ) -> None:
        self._spool_dir = spool_dir
        self._sent = sent
        self._removed = removed

    def settle(self, name: str, content: bytes, outcome: Delivered | Rejected) -> None:
        """Do with the file what the outcome asks for.

        Raises:
            FileNotFoundError: it is gone already.
            OSError: it cannot be removed or moved, and may still be there; or it was rejected and moved, but there
                is no room for the reason.
        """
        path = self._spool_dir / name
        if isinstance(outcome, Rejected):
            self._set_aside(path, outcome)
        else:
            self._put_away(path, content)

    def _put_away(self, path: Path, content: bytes) -> None:
        session_id = session_of(content)
        if session_id is None or not self._sent.wants(session_id) or not self._sent.take(path, session_id):
            path.unlink()
        self._removed(len(content))

    def _set_aside(self, path: Path, outcome: Rejected) -> None:
        folder = self._spool_dir / "rejected"
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)  # first, as it needs no room on the disk
        _keep_reason(folder / f"{path.stem}.reason.json", outcome)


def _keep_reason(path: Path, outcome: Rejected) -> None:
    """Write down why, wholly or not at all."""
    reason = {"status": outcome.status, "reason": outcome.reason, "rejected_ns": time.time_ns()}
    try:
        path.write_text(json.dumps(reason) + "\n", encoding="utf-8")
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


def session_of(content: bytes) -> str | None:
    """The id of the session that a batch belongs to, without decoding the batch."""
    match = _SESSION_ID.search(content, 0, _HEAD_BYTES)
    return None if match is None else match[1].decode()
