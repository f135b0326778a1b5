"""Snapshot files, which travel before the batch that names them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from cirron.delivery.answer import readable
from cirron.delivery.outcome import AuthRefused, Closed, Delivered, Failed, NoRoute, Outcome, Rejected
from cirron.faults import Faults

PLACE = "snapshot file"
MAX_FAILURES = 8  # whenever its batches are tried later, so is the file
_OURS = re.compile(r"snapshots/([0-9a-f]{32})/[^/]+", re.ASCII)
_NO_SNAPSHOTS = b'"snapshots":[]}'  # how a batch without any ends


class _Snapshot(msgspec.Struct, gc=False):
    blob_uri: str | None = None


class _Snapshots(msgspec.Struct, gc=False):
    snapshots: list[_Snapshot] = []


_decode = msgspec.json.Decoder(_Snapshots).decode


class Blob(NamedTuple):
    """A file of tensors that belongs to one span."""

    span_id: str
    path: Path


class Blobs:
    """Sends each snapshot file once in the life of this process; the files stay where they are.

    Args:
        output_dir: the folder that `blob_uri` is relative to.
        put: sends one file of a span.
        faults: takes what goes wrong.
        max_failures: how often a file may fail before its batch no longer waits for it.

    Attributes:
        left_out_count: how many files were not sent, though their batch no longer waits for them.
    """

    def __init__(
        self,
        output_dir: Path,
        put: Callable[[str, Path], Outcome],
        faults: Faults,
        max_failures: int = MAX_FAILURES,
    ) -> None:
        self._output_dir = output_dir
        self._put = put
        self._faults = faults
        self._max_failures = max_failures
        self._done: set[Blob] = set()
        self._failures: Counter[Blob] = Counter()
        self._no_route: NoRoute | None = None
        self.left_out_count = 0

    def send(self, content: bytes) -> Outcome:
        """Send the files that a batch names; anything but `Delivered` says why the batch has to wait."""
        for blob in self._missing(content):
            outcome = self._send(blob)
            if isinstance(outcome, Delivered | Rejected | NoRoute):
                self._done.add(blob)
            if self._has_to_wait(blob, outcome):
                return outcome
            if not isinstance(outcome, Delivered):
                self.left_out_count += 1
                self._note(blob, outcome)
        return Delivered()

    def _has_to_wait(self, blob: Blob, outcome: Outcome) -> bool:
        if not isinstance(outcome, Failed):
            return isinstance(outcome, AuthRefused | Closed)
        self._failures[blob] += 1
        return self._failures[blob] < self._max_failures

    def _missing(self, content: bytes) -> list[Blob]:
        if content.rstrip().endswith(_NO_SNAPSHOTS):
            return []
        try:
            uris = {snapshot.blob_uri for snapshot in _decode(content).snapshots if snapshot.blob_uri}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the server will have its say
            return []
        matches = (_OURS.fullmatch(uri) for uri in sorted(uris))  # what is not ours lies elsewhere
        blobs = (Blob(match[1], self._output_dir / match[0]) for match in matches if match is not None)
        return [blob for blob in blobs if blob not in self._done]

    def _is_there(self, path: Path) -> bool:
        """Whether there is such a file, and really among the snapshots."""
        try:
            inside = path.resolve().is_relative_to(self._output_dir.resolve() / "snapshots")
            return inside and path.is_file()
        except (OSError, RuntimeError, ValueError):  # links in a circle, a zero byte, a name too long
            return False

    def _send(self, blob: Blob) -> Outcome:
        if self._no_route is not None:
            return self._no_route
        if not self._is_there(blob.path):
            return Rejected(None, "there is no such file among the snapshots")
        try:
            return self._put(blob.span_id, blob.path)
        except OSError as error:
            return Rejected(None, str(error))

    def _note(self, blob: Blob, outcome: Outcome) -> None:
        if isinstance(outcome, Rejected | Failed):
            error = ValueError(outcome.reason)
            self._faults.note(PLACE, error, f"{readable(str(blob.path))} was not sent, while its batch is")
        elif isinstance(outcome, NoRoute) and self._no_route is None:
            self._no_route = outcome
            self._faults.warn(
                f"the server takes no snapshot files ({outcome.reason}); they stay in "
                f"{self._output_dir / 'snapshots'}, and everything else is sent"
            )
