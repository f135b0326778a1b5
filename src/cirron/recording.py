"""One session while it lasts: its folders, its recorder and its threads."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from cirron import ending, signals
from cirron._recorder import Recorder
from cirron.config_file import user_config_file
from cirron.delivery import make_sender, transport_name
from cirron.faults import SPOOL, Faults, way_out
from cirron.launcher import Placement, placement
from cirron.outlets import Outlets
from cirron.overhead import calibrate
from cirron.settings import WITH_VALUES, Settings, resolve
from cirron.sinks import make_printer
from cirron.storage import Storage
from cirron.supervision import Supervisor
from cirron.workers import Lineage
from cirron.writer import Drain, Writer

if TYPE_CHECKING:
    from cirron.delivery import Sender
    from cirron.sinks import Printer
    from cirron.snapshots.keep import Keep
    from cirron.snapshots.value_files import ValueFiles
    from cirron.spool import Batch
    from cirron.supervision import Task

ASK_S = 0.05  # between two looks whether there still is a writer that could answer
FLUSH_S = 15.0  # for everything to be written that flush() is asked for
STOP_S = 5.0  # for a thread to finish its round
CLOSE_S = 15.0  # for everything that is left at the end of a session to be written,
PRINT_S = 2.0  # printed,
SEND_S = 3.0  # and sent
SIGNAL_S = 10.0  # for it to be written when a signal has come: whoever sent that will not wait for long


class _Parts(NamedTuple):
    """What is at work while a session lasts."""

    recorder: Recorder
    drain: Drain
    outlets: Outlets
    supervisor: Supervisor
    writer: Writer
    printer: Printer | None
    sender: Sender | None
    value_files: ValueFiles | None


class Recording:
    """A live session; after `close`, what can still be read of it.

    Attributes:
        settings: as resolved at the start.
        session_id: 32 hex digits.
        lineage: whose child the session is; None in a main process.
        pid: the process that records.
    """

    def __init__(self, settings: Settings, place: Placement, lineage: Lineage | None, faults: Faults) -> None:
        self.settings = settings
        self.lineage = lineage
        self.exit = ending.Exit()
        self._faults = faults
        self._started_ns = time.time_ns()
        self.pid = os.getpid()
        self._last_facts: dict[str, Any] = {}
        self._is_writing = False  # for a signal
        self._storage = Storage(settings, faults)
        self._parts: _Parts | None = self._start(place)
        try:
            signals.watch(self)
        except Exception as error:  # noqa: BLE001 - the program may have replaced what we call
            self._faults.note("signals", error, "after SIGTERM the records stay in the journal")

    def _start(self, place: Placement) -> _Parts:
        settings, faults = self.settings, self._faults
        recorder = self._storage.make_recorder(place, self.lineage)
        recorder.set_overhead(*calibrate())
        self.session_id = recorder.session_id
        self._recovered = self._storage.recover()  # before the cap counts what there is
        printer = make_printer(settings.output, faults)
        cap = self._storage.make_cap()
        outlets = Outlets(cap, printer)
        drain = Drain(recorder, outlets, faults)
        writer = Writer(recorder, drain, self._storage, settings.flush_interval)
        sender = (
            make_sender(settings, self.session_id, faults, cap.removed, self._shall_send) if cap else None
        )
        files = self._make_value_files(recorder)
        tasks = (task for task in (writer, printer, sender, files) if task is not None)
        return _Parts(recorder, drain, outlets, Supervisor(tasks, faults), writer, printer, sender, files)

    def _make_value_files(self, recorder: Recorder) -> ValueFiles | None:
        """What writes the values of snapshots; None where there are none to be written, or nowhere."""
        mode = self.settings.snapshots
        if mode not in WITH_VALUES:
            return None
        if not self._storage.has_spool:
            self._faults.warn(
                f'snapshots="{mode}": values go beside the spool, and there is none: only statistics are kept'
            )
            return None
        from cirron.snapshots.value_files import ValueFiles

        return ValueFiles(self.settings, recorder, self._faults)

    def value_files(self) -> tuple[Keep, ValueFiles | None]:
        """Which values the session's snapshots keep, and what writes them if they keep any."""
        from cirron.snapshots.keep import ONLY_STATS, Keep

        files = self._live.value_files if self._live is not None else None
        mode = self.settings.snapshots
        if files is None or mode is None:
            return ONLY_STATS, None
        return Keep(mode, self.settings.sample_rate), files

    def _shall_send(self) -> bool:
        """Not in a worker whose parent does: what it writes lies in the same spool."""
        return self.lineage is None or not self.lineage.parent_delivers(self.settings.journal_dir)

    @property
    def recorder(self) -> Recorder | None:
        """What records; None once closed, and in a forked child, whose parent's session it is."""
        live = self._live
        return None if live is None else live.recorder

    @property
    def is_parents(self) -> bool:
        """Whether a fork lies between this session and the calling process."""
        return os.getpid() != self.pid

    @property
    def was_live(self) -> bool:
        """Whether the session goes on, here or in the parent as far as this process knows."""
        return self._parts is not None

    @property
    def _live(self) -> _Parts | None:
        return None if self.is_parents else self._parts

    def flush(self) -> None:
        """Return when everything closed or marked before the call is on disk, or when that takes too long."""
        live = self._live
        if live is None:
            return
        live.drain.resolve(block=True)
        if not self._write(live, FLUSH_S):
            hung = TimeoutError(f"it takes more than {FLUSH_S:.0f} s")
            self._faults.note(SPOOL, hung, f"flush() returns before all is on disk ({way_out(hung)})")

    def close(self, ended: str) -> None:
        """End the session: seal all records, remove the journal, deliver what can be delivered at once.

        Idempotent, and bounded in time whatever disk and network do: what a thread that hangs still holds is
        left in the journal or the spool.
        """
        live = self._live
        if live is not None:
            self._close(live, ended, CLOSE_S)

    def _close(self, live: _Parts, ended: str, timeout_s: float) -> None:
        try:
            self._end(live, ended, timeout_s)
        finally:  # also when Ctrl-C has cut the waiting short
            live.supervisor.let_go()
            if live.sender is not None:
                live.sender.close()
            signals.unwatch(self)
            self.exit.close()
            self._parts = None  # the recorder's memory is free from here on, even while a handle is kept

    def _end(self, live: _Parts, ended: str, timeout_s: float) -> None:
        live.supervisor.stop_watching(STOP_S)
        if live.value_files is not None:  # before the writer: their records are a part of what it writes
            self._end_files(live, live.value_files, timeout_s / 2)
        live.writer.end_with(ended)
        # The writer does it, so that a disk that hangs cannot hold up the thread that asks.
        has_written = live.supervisor.stop(live.writer, timeout_s, finish=True)
        if has_written:
            live.writer.end_now()  # unless it has: where no thread could be started
        else:
            hung = TimeoutError(f"nothing was written for {timeout_s:.0f} s")
            self._faults.note(
                SPOOL, hung, f"the session's last records stay in its journal ({way_out(hung)})"
            )
        if live.printer is not None:
            live.supervisor.stop(live.printer, PRINT_S, finish=True)
            live.printer.give_up()
        if live.sender is not None:
            live.supervisor.stop(live.sender, SEND_S, finish=True)
            live.sender.close()
        if has_written:
            self._last_facts = self._facts(live)

    @staticmethod
    def _end_files(live: _Parts, files: ValueFiles, timeout_s: float) -> None:
        """Have values written that wait for it; what takes too long is recorded without them."""
        if live.supervisor.stop(files, timeout_s, finish=True):
            files.finish()  # unless all is done: where no thread could be started
        else:
            files.give_up()

    def _write(self, live: _Parts, timeout_s: float) -> bool:
        """Whether what is recorded is on disk within that time, half of which values get; a signal may interrupt it.

        The writer does it here too: a thread that waits for its answer still hears signals, and one that waits for
        a disk does not.
        """
        until_s = time.monotonic() + timeout_s
        files, has_values = live.value_files, True
        if files is not None:
            has_values = self._wait_for(live, files, files.ask(), until_s - timeout_s / 2)
        has_records = self._wait_for(live, live.writer, live.writer.ask(), until_s)
        if not live.supervisor.does(live.writer):
            live.drain.once()
        return has_values and has_records

    @staticmethod
    def _wait_for(live: _Parts, task: Task, done: SimpleQueue[None], until_s: float) -> bool:
        """Whether a task answers in time; there may be nobody to answer, and then there is nothing to wait for."""
        while live.supervisor.does(task) and not live.recorder.closed:
            if time.monotonic() >= until_s:
                return False
            with suppress(Empty):
                done.get(timeout=ASK_S)
                return True
        return True

    # ---- what a fork asks for ----

    def threads(self) -> int:
        """How many threads of this process belong to the session."""
        live = self._live
        return 0 if live is None else live.supervisor.threads()

    def pause_threads(self) -> None:
        """End the session's threads until `resume_threads`; recording goes on."""
        live = self._live
        if live is not None:
            live.supervisor.pause()

    def resume_threads(self) -> None:
        """Start the session's threads again."""
        live = self._live
        if live is not None:
            live.supervisor.resume()

    # ---- what a signal asks for; see cirron.signals ----

    def write_now(self) -> None:
        """Put everything on disk and go on recording; a second signal meanwhile waits for nothing."""
        live = self._live
        if live is not None and not self._is_writing:
            self._is_writing = True
            try:
                self._write(live, SIGNAL_S)
            finally:
                self._is_writing = False

    def end_by(self, signal_name: str) -> None:
        """End the session, before the process ends."""
        live = self._live
        if live is not None:
            self._close(live, ending.by_signal(signal_name), SIGNAL_S)

    def expect_exit_by(self, signal_name: str) -> None:
        """A handler of the user's has asked for the end of the program."""
        self.exit.expected = ending.by_signal(signal_name)

    # ---- what is known of it ----

    def facts(self) -> dict[str, Any]:
        """The part of `health()` that belongs to this session; after its end, as it was then."""
        live = self._live
        return self._last_facts if live is None else self._facts(live)

    def _facts(self, live: _Parts) -> dict[str, Any]:
        counters = live.recorder.counters()
        return {
            "transport": self._transport(live),
            "scope_depth": live.recorder.depth(),
            "mark_drop_count": counters["marks_dropped"],
            "span_drop_count": counters["spans_dropped"],
            "memory_drop_count": counters["memory_dropped"],
            "scope_drop_count": counters["scopes_too_deep"],
            "mark_reject_count": counters["marks_rejected"],
            "drops_by_thread": counters["threads"],
            "deferred_count": live.drain.deferred_count,
            "seal_failure_count": counters["seal_failures"],
            "snapshot_drop_count": counters["snapshots_dropped"],
            **(live.value_files.facts() if live.value_files is not None else {}),
            "request_left_out_count": counters["requests_left_out"],
            "flush_latency_ns": live.drain.latency_ns,
            **live.outlets.facts(),
            "internal_errors": counters["internal_errors"],
            "journal": self._journal(live.recorder),
            "recovered_sessions": self._recovered,
            "session_id": self.session_id,
            "parent_session_id": self.lineage.parent_session_id if self.lineage is not None else None,
            "worker": self.lineage.worker if self.lineage is not None else None,
            "spool_dir": str(self.settings.spool_dir),
            "threads": live.supervisor.states(),
            "degraded": live.supervisor.degraded,
            "delivery": live.sender.facts() if live.sender is not None else None,
        }

    def _transport(self, live: _Parts) -> str:
        sends = live.sender is not None and live.supervisor.degraded is None
        return transport_name(self.settings) if sends else "file_only"

    @staticmethod
    def _journal(recorder: Recorder) -> str:
        is_there = recorder.closed or recorder.journal_intact
        return recorder.journal_kind if is_there else f"{recorder.journal_kind} (deleted)"

    def read_back(self) -> list[Batch]:
        """What was recorded so far: the sealed batches, and one of the spans that are still open."""
        from cirron.readback import batch_of_open_spans, sealed_batches

        recorder = self.recorder
        # Before the drain: a span that closes in between then comes twice, and never not at all.
        open_spans = b"[]" if recorder is None else recorder.open_spans()
        self.flush()
        batches = [batch_of_open_spans(open_spans, self.session_id)]
        try:
            batches += sealed_batches(self.settings.output_dir, self.session_id, self._started_ns)
        except OSError as error:
            self._faults.note("read back", error, "the spool could not be read")
        return batches


def start(given: Mapping[str, Any], lineage: Lineage | None, faults: Faults) -> Recording:
    """Begin a session.

    Args:
        given: explicit settings by name, checked.
        lineage: whose child it is; None in a main process.
        faults: takes whatever goes wrong.

    Raises:
        Exception: no recorder could be made, for want of memory or because too many are alive.
    """
    settings, doubts = resolve(given, os.environ, user_config_file())
    for doubt in doubts:
        faults.warn(doubt)
    return start_with(settings, lineage, faults)


def start_with(settings: Settings, lineage: Lineage | None, faults: Faults) -> Recording:
    """As `start`, with settings that are resolved already: a worker has those of its parent."""
    place, doubts = placement(os.environ)
    for doubt in doubts:
        faults.warn(doubt)
    return Recording(settings, place, lineage, faults)
