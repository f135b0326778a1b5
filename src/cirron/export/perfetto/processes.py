"""A session as a process of the trace, with its marks and snapshots."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from itertools import count
from math import isfinite

import msgspec

from cirron.export.destination import Sink
from cirron.export.perfetto import packets
from cirron.export.source import Part
from cirron.export.tables import mark_value
from cirron.spool import Mark, Session, Snapshot
from cirron.spool.records import OVERHEAD_MARK

_PIDS = range(1, 2**22 + 1)  # Linux gives no others; numbers above are ours to give


class Processes:
    """The process of each session, with numbers that are unique although ranks on two machines may share theirs."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._known: dict[str, Process] = {}
        self._pids: set[int] = set()
        self._next_number = count(_PIDS.stop).__next__

    def of(self, session: Session) -> Process:
        """The process of a session, described when it is first asked for."""
        if session.id not in self._known:
            pid = self._unique(session.pid)
            self._known[session.id] = Process(session, pid, self._next_number, self._sink)
        return self._known[session.id]

    def _unique(self, pid: int) -> int:
        if pid not in _PIDS or pid in self._pids:
            return self._next_number()
        self._pids.add(pid)
        return pid


class Process:
    """One session as a process.

    Attributes:
        track: its own, to which all others belong.

    Args:
        session: says what it is called.
        pid: its number in the trace.
        next_number: gives a number that no process or thread has.
        sink: takes the packets.
    """

    def __init__(self, session: Session, pid: int, next_number: Callable[[], int], sink: Sink) -> None:
        self._session = session
        self._pid = pid
        self._next_number = next_number
        self._sink = sink
        self._tracks: set[int] = set()
        self.track = self._uuid("process")
        sink.write(packets.process(self.track, pid, _process_name(session)))

    def write_marks(self, part: Part) -> None:
        """Write the part's marks and snapshots."""
        events = [self._mark(mark) for mark in part.batch.marks if mark.name != OVERHEAD_MARK]
        events += [self._snapshot(snapshot) for snapshot in part.batch.snapshots]
        self._sink.write(b"".join(events))

    def thread(self, thread_id: int, *, is_main: bool) -> int:
        """Describe a thread; returns its track."""
        track = self._uuid(f"thread {thread_id}")
        tid, name = (self._pid, "main thread") if is_main else (self._next_number(), f"thread {thread_id}")
        self._sink.write(packets.thread(track, self.track, self._pid, tid, name))
        return track

    def lane(self, thread_track: int, thread_id: int, lane: int) -> int:
        """Describe a lane beside a thread's own; returns its track."""
        track = self._uuid(f"thread {thread_id} lane {lane}")
        self._sink.write(packets.plain_track(track, thread_track, f"at the same time {lane + 1}"))
        return track

    def _mark(self, mark: Mark) -> bytes:
        value = mark_value(mark)
        if isinstance(value, int | float) and not isinstance(value, bool) and _is_plottable(value):
            track = self._described(f"counter {mark.name}", packets.counter_track, mark.name)
            return packets.event(mark.ts_ns, packets.on_track(track) + packets.counter_value(value))
        track = self._described("marks", packets.plain_track, "marks")
        told = {"value": value} | mark.attrs
        return packets.event(mark.ts_ns, packets.on_track(track) + packets.instant(mark.name, told))

    def _snapshot(self, snapshot: Snapshot) -> bytes:
        track = self._described("snapshots", packets.plain_track, "snapshots")
        facts = msgspec.to_builtins(snapshot)
        told = {key: facts[key] for key in ("shape", "dtype", "mode", "stats", "blob_uri")} | snapshot.attrs
        return packets.event(
            snapshot.ts_ns, packets.on_track(track) + packets.instant(snapshot.tensor_name, told)
        )

    def _described(self, key: str, describe: Callable[[int, int, str], bytes], name: str) -> int:
        """The track for a key, which is described before its first event."""
        track = self._uuid(key)
        if track not in self._tracks:
            self._tracks.add(track)
            self._sink.write(describe(track, self.track, name))
        return track

    def _uuid(self, key: str) -> int:
        """A number for a track, the same in every export and another in every session."""
        digest = blake2b(f"{self._session.id} {key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) or 1


def _process_name(session: Session) -> str:
    parts = [f"rank {session.rank}"]
    if session.worker is not None:
        parts.append(f"worker {session.worker}")
    if session.host is not None:
        parts.append(session.host)
    return " · ".join([*parts, f"pid {session.pid}"])


def _is_plottable(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an integer beyond what a float holds
        return False
