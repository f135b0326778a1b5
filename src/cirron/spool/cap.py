"""Keeps a spool within its size: when it has grown too large, the oldest batches go, and are counted.

What counts are the batches in `spool/` and those that a server refused, in `spool/rejected/`, with their reasons.
All processes that share the directory add to one number (`usage.py`), so nobody lists the directory to know how
full it is. Only when the number passes the cap is the directory listed, under the number's lock, and counted
exactly. Where the number cannot be shared, each process keeps one of its own and lists every now and then.

A batch is counted as dropped by the process that removed it, whoever wrote it.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cirron.spool.files import FILE_MAX_BYTES
from cirron.spool.records import OVERHEAD_MARK
from cirron.spool.usage import HeldUsage, Usage

if TYPE_CHECKING:
    from cirron.faults import Faults

GOAL_SHARE = 0.9  # how full the spool is left when room was made
SLACK_SHARE = 0.05  # how far it may grow unseen where the number cannot be shared
MAX_REFUSALS = 10  # files that the system will not remove, after which making room is given up until later

PLACE = "spool"  # where faults are counted, together with those of the writer: one cause, one warning

_FILE_NAME = re.compile(r"([0-9]{20}-[0-9a-f]{32})\.(json|reason\.json)", re.ASCII)


class Dropped(NamedTuple):
    """What was removed to make room; `marks` are those that were recorded, without what cirron adds itself."""

    batches: int = 0
    spans: int = 0
    marks: int = 0
    memory: int = 0


class _File(NamedTuple):
    """One file that the cap counts; sorts by the batch it belongs to, a batch before its reason."""

    batch_name: str
    suffix: str
    path: str
    size_bytes: int


class _Named(msgspec.Struct, gc=False):
    name: str


class _Content(msgspec.Struct, gc=False):
    spans: list[msgspec.Raw] = []
    marks: list[_Named] = []
    memory: list[msgspec.Raw] = []


_decode_content = msgspec.json.Decoder(_Content).decode


class SpoolCap:
    """The cap on one spool, as this process sees it. No method raises, and all may be called from any thread.

    Args:
        output_dir: the folder with `spool/` in it.
        max_bytes: how large the spool may become.
        faults: takes what goes wrong.

    Example:
        cap = SpoolCap(Path(".cirron"), max_bytes=1_000_000_000)
        cap.start()
        dropped = cap.added(sealed_bytes)
    """

    def __init__(self, output_dir: Path, max_bytes: int, faults: Faults | None = None) -> None:
        self._spool_dir = output_dir / "spool"
        self._max_bytes = max_bytes
        self._slack_bytes = int(max_bytes * SLACK_SHARE)
        self._limit_bytes = max_bytes  # above the cap only after what was left could not be made to fit
        self._faults = faults
        self._usage = Usage(output_dir / "usage")
        self._is_stale = True  # the shared number does not have all that we know of
        self._own_bytes = 0  # our view of the number: as last read or counted
        self._unlisted_bytes = max_bytes  # added to it since the last listing, while it is not shared
        self._said = False
        # Deques, as one thread may append while another takes, or a signal handler while its own thread does.
        self._unsettled: deque[int] = deque()
        self._unreported: deque[Dropped] = deque()

    def start(self) -> None:
        """Count the spool exactly, by listing it."""
        self._is_stale = True
        self._settle()

    def added(self, size_bytes: int) -> Dropped:
        """Account for new batches, and make room if it is needed.

        Args:
            size_bytes: what the batches sealed since the last call take.

        Returns:
            What this process has removed since the last call.
        """
        self._unsettled.append(size_bytes)
        self._settle()
        dropped = self._take_unreported()
        if dropped.batches > 0:
            self._say()
        return dropped

    def removed(self, size_bytes: int) -> None:
        """Account for batches that somebody took out of the spool, such as the sender."""
        self._unsettled.append(-size_bytes)
        self._settle()

    def used_bytes(self) -> int:
        """What the spool takes; files that others remove by hand are noticed at the next listing."""
        shared = None if self._is_stale else self._usage.peek()
        return self._own_bytes if shared is None else shared

    # ---- the number ----

    def _settle(self) -> None:
        try:
            with self._usage.held() as held:
                self._own_bytes = self._settled(held)
        except BlockingIOError:  # whoever holds it may be making room; ours is added next time
            if sum(self._unsettled) > self._slack_bytes:
                self._settle_alone()
        except OSError:  # each process then counts for itself, about which nobody need be told
            if self._faults is not None:
                self._faults.count("spool cap")
            self._settle_alone()

    def _settled(self, held: HeldUsage) -> int:
        """The number after all that is known here went into it."""
        shared = None if self._is_stale else self._read(held)
        if shared is None:
            held.forget()
            self._unsettled.clear()  # the listing has it
            used_bytes = self._enforced(self._own_bytes)
        else:
            used_bytes = max(0, shared + self._take_unsettled())
            if used_bytes > self._limit_bytes:
                used_bytes = self._enforced(used_bytes)
        held.write(used_bytes)
        self._is_stale = False
        return used_bytes

    def _settle_alone(self) -> None:
        """Without the others: what they add is seen at the next listing, and what we add by them at theirs."""
        self._is_stale = True
        grown_bytes = self._take_unsettled()
        self._unlisted_bytes += grown_bytes
        self._own_bytes = max(0, self._own_bytes + grown_bytes)
        if self._unlisted_bytes > self._slack_bytes or self._own_bytes > self._limit_bytes:
            self._unlisted_bytes = 0
            self._own_bytes = self._enforced(self._own_bytes)

    def _read(self, held: HeldUsage) -> int | None:
        try:
            return held.read()
        except ValueError as error:
            self._note(error, "the file `usage` beside the spool was damaged, and the spool is counted anew")
            return None

    def _take_unsettled(self) -> int:
        return sum(self._unsettled.popleft() for _ in range(len(self._unsettled)))

    # ---- the files ----

    def _enforced(self, believed_bytes: int) -> int:
        """What the spool takes, by listing it, after room was made where it was too much."""
        try:
            files = sorted(_list(self._spool_dir))
        except OSError as error:
            self._note(error, "the spool cannot be listed, so it may outgrow spool_max_bytes")
            used_bytes = believed_bytes
        else:
            used_bytes = sum(file.size_bytes for file in files)
            if used_bytes > self._max_bytes:
                used_bytes -= self._make_room(files, used_bytes - int(self._max_bytes * GOAL_SHARE))
        is_full = used_bytes > self._max_bytes
        self._limit_bytes = used_bytes + self._slack_bytes if is_full else self._max_bytes
        return used_bytes

    def _make_room(self, files: list[_File], wanted_bytes: int) -> int:
        """Remove the oldest batches with their reasons, never the newest; the bytes that became free."""
        freed_bytes = refusals = 0
        for file in files:
            is_enough = freed_bytes >= wanted_bytes and file.suffix == "json"
            if is_enough or file.batch_name == files[-1].batch_name or refusals == MAX_REFUSALS:
                break
            try:
                self._remove(file)
                freed_bytes += file.size_bytes
            except OSError as error:
                refusals += 1
                self._note(error, "an old batch cannot be removed, so the spool may outgrow spool_max_bytes")
        return freed_bytes

    def _remove(self, file: _File) -> None:
        """Remove one file, and count what it held unless another process was quicker.

        Raises:
            OSError: it is still there.
        """
        content = _count(file)
        # Before it is gone: an interrupt in between may have it counted although it is there, not the reverse.
        self._unreported.append(content)
        try:
            os.unlink(file.path)  # noqa: PTH108 - one of perhaps 100,000, for which no Path was made
        except OSError as error:
            self._unreported.append(Dropped(*(-count for count in content)))
            if not isinstance(error, FileNotFoundError):
                raise

    def _take_unreported(self) -> Dropped:
        losses = [self._unreported.popleft() for _ in range(len(self._unreported))]
        return Dropped(*map(sum, zip(*losses, strict=True))) if losses else Dropped()

    # ---- what the user hears ----

    def _say(self) -> None:
        if self._faults is not None and not self._said:
            self._said = True
            self._faults.warn(
                f"the spool {self._spool_dir} has reached its cap of {self._max_bytes:,} bytes, so its oldest "
                "batches are removed and counted; `cirron spool flush` sends them, a larger "
                "`spool_max_bytes` keeps more"
            )

    def _note(self, error: Exception, consequence: str) -> None:
        if self._faults is not None:
            self._faults.note(PLACE, error, consequence)


def _list(spool_dir: Path) -> Iterator[_File]:
    """The files that count, in any order; what is not named like them is somebody else's."""
    for directory in (spool_dir, spool_dir / "rejected"):
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    yield from _file(entry)
        except FileNotFoundError:  # nothing was spooled or refused so far
            continue


def _file(entry: os.DirEntry[str]) -> Iterator[_File]:
    match = _FILE_NAME.fullmatch(entry.name)
    try:
        if match is not None and entry.is_file(follow_symlinks=False):
            size_bytes = entry.stat(follow_symlinks=False).st_size
            yield _File(match[1], match[2], entry.path, size_bytes)
    except FileNotFoundError:  # gone since it was listed
        return


def _count(file: _File) -> Dropped:
    """What is lost with a file; of a batch that cannot be read only that it is one, of a reason nothing."""
    if file.suffix != "json":
        return Dropped()
    if file.size_bytes > FILE_MAX_BYTES:
        return Dropped(batches=1)
    try:
        content = _decode_content(Path(file.path).read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Dropped(batches=1)
    marks = sum(mark.name != OVERHEAD_MARK for mark in content.marks)
    return Dropped(1, len(content.spans), marks, len(content.memory))
