"""Writes the values that snapshots have copied, by a thread of its own, and then has their records written.

A file comes before the records that name it, so that whoever reads these finds it. It is written under a name that ends
in `.tmp` and renamed. Where the disk is slower than snapshots come, their values are left out, and counted.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cirron.bell import Bell
from cirron.faults import SPOOL, Faults, way_out
from cirron.snapshots.files_cap import FilesCap
from cirron.snapshots.tensor_writer import remove_unfinished, write_tensors
from cirron.spool.records import Snapshot

if TYPE_CHECKING:
    import numpy
    from torch import Tensor

    from cirron._recorder import Recorder
    from cirron.settings import Settings

ROOM_BYTES = 256 * 1024 * 1024  # may wait to be written when another look is copied
LARGE_BYTES = 100 * 1000 * 1000
WAIT_S = 1.0

WEIGHTS = "weights"
GRADIENTS = "gradients"
ATTR_SKIPPED = "skipped"
TOO_SLOW = "the disk is slower than snapshots come"
FAILED = "the file could not be written"
ENDED = "the session ended before they could be written"


class Entry(NamedTuple):
    """A record as it is without values, the kind of file that they belong into, and the values if there are any."""

    snapshot: Snapshot
    file: str
    values: Tensor | numpy.ndarray | None


@dataclass
class Lot:
    """What was taken in one span at once."""

    span_id: str
    mode: str
    entries: list[Entry]

    @cached_property
    def size_bytes(self) -> int:
        """What the values take."""
        return sum(each.values.nbytes for each in self.entries if each.values is not None)

    def tensors(self, file: str) -> dict[str, Tensor | numpy.ndarray]:
        """The values that belong into one file."""
        ours = (each for each in self.entries if each.file == file)
        return {each.snapshot.tensor_name: each.values for each in ours if each.values is not None}


class ValueFiles:
    """The task that writes files of values.

    Args:
        settings: of the session.
        recorder: gets the records.
        faults: takes what goes wrong.
    """

    name = "snapshots"
    keeps_disk = True

    def __init__(self, settings: Settings, recorder: Recorder, faults: Faults) -> None:
        self._output_dir = settings.output_dir
        self._fsync = settings.fsync
        self._cap = FilesCap(settings.output_dir, settings.snapshot_max_bytes, faults)
        self._recorder = recorder
        self._faults = faults
        self._bell = Bell()
        self._lock = threading.RLock()  # reentrant: a signal handler may end the session in the middle of it
        self._lots: deque[Lot] = deque()  # the first of them is being written
        self._waiting: deque[SimpleQueue[None]] = deque()
        self._is_new = True
        self._is_over = False
        self._is_large_said = False
        self._skip_count = 0

    def has_room(self) -> bool:
        """Whether more values may be copied."""
        return sum(lot.size_bytes for lot in tuple(self._lots)) <= ROOM_BYTES

    def count_skip(self) -> None:
        """Values were not copied, for want of room."""
        self._skip_count += 1

    def offer(self, lot: Lot) -> None:
        """Have a look written; never waits for that."""
        self._lots.append(lot)
        self._bell.ring()

    def facts(self) -> dict[str, Any]:
        """Its part of `health()`."""
        return {"snapshot_skip_count": self._skip_count, "snapshot_file_drop_count": self._cap.removed_count}

    # ---- as a task of a thread, and for those who wait for it ----

    def wait(self) -> None:
        """Return when there is something to write, or after a while."""
        if not self.has_more() and not self._waiting:
            self._bell.wait(WAIT_S)

    def wake(self) -> None:
        """End a wait early."""
        self._bell.ring()

    def has_more(self) -> bool:
        """Whether something is left to be written."""
        return bool(self._lots)

    def interrupt(self) -> None:
        """There is no way to end a wait for a disk."""

    def ask(self) -> SimpleQueue[None]:
        """The queue gets an item when all is written that was offered before. Also for signal handlers."""
        done: SimpleQueue[None] = SimpleQueue()
        self._waiting.append(done)
        self.wake()
        return done

    def work(self) -> None:
        """Write one lot."""
        if self._is_new:
            self._is_new = False
            self._clean()
        asked = len(self._waiting)  # before it is seen whether anything is left
        if self._lots:
            self._write(self._lots[0])
        if not self._lots:
            for _ in range(asked):
                self._waiting.popleft().put(None)

    def finish(self) -> None:
        """Write all that is left, in the calling thread."""
        while self._lots:
            self.work()

    def give_up(self) -> None:
        """Have what is not written yet recorded without its values."""
        with self._lock:
            self._is_over = True
            left_count = len(self._lots)
            for lot in self._lots:
                self._skip_count += 1
                self._record(lot, {}, ENDED)
            self._lots.clear()
        if left_count > 0:
            self._faults.warn(
                f"the session ended before the values of {left_count:,} epochs could be written; their statistics "
                'are recorded, and snapshots="sampled" writes less'
            )

    # ---- one look ----

    def _write(self, lot: Lot) -> None:
        uris: dict[str, str] = {}
        reason = None
        try:
            for file in (WEIGHTS, GRADIENTS):
                if tensors := lot.tensors(file):
                    uris[file] = self._write_file(lot.span_id, file, tensors)
            self._cap.keep(lot.span_id)
            self._faults.over(SPOOL)
        except Exception as error:  # noqa: BLE001 - a full disk, or what safetensors makes of one
            reason = FAILED
            self._skip_count += 1
            cause = error if isinstance(error, OSError) else OSError(str(error))
            self._faults.note(
                SPOOL, cause, f"the values of a snapshot could not be written ({way_out(cause)})"
            )
        with self._lock:
            if self._is_over:  # and the records are written already
                self._remove(uris)
            else:
                self._record(lot, uris, reason)
                self._lots.popleft()
        self._say_if_large(lot)

    def _write_file(self, span_id: str, file: str, tensors: dict[str, Tensor | numpy.ndarray]) -> str:
        uri = f"snapshots/{span_id}/{file}.safetensors"
        write_tensors(self._output_dir / uri, tensors, self._fsync)
        return uri

    def _remove(self, uris: dict[str, str]) -> None:
        for uri in uris.values():
            (self._output_dir / uri).unlink(missing_ok=True)

    def _record(self, lot: Lot, uris: dict[str, str], reason: str | None) -> None:
        records = [_with_file(each, lot.mode, uris, reason) for each in lot.entries]
        self._recorder.add_snapshots([msgspec.json.encode(record) for record in records])

    def _say_if_large(self, lot: Lot) -> None:
        if lot.size_bytes >= LARGE_BYTES and not self._is_large_said:
            self._is_large_said = True
            self._faults.warn(
                f"each snapshot writes {lot.size_bytes / 1e6:,.0f} MB to {self._output_dir / 'snapshots'}: "
                'snapshots="sampled" or "stats" writes less, and `snapshot_max_bytes` limits them all together'
            )

    def _clean(self) -> None:
        """Remove what killed processes were writing."""
        with suppress(OSError):  # nothing can be removed there now, and maybe the next time
            remove_unfinished(self._output_dir)


def _with_file(entry: Entry, mode: str, uris: dict[str, str], reason: str | None) -> Snapshot:
    snapshot = entry.snapshot
    if entry.values is None:
        return snapshot
    if entry.file in uris:
        return msgspec.structs.replace(snapshot, mode=mode, blob_uri=uris[entry.file])
    return msgspec.structs.replace(snapshot, attrs=snapshot.attrs | {ATTR_SKIPPED: reason})
