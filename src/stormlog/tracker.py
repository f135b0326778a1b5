"""The memory tracker: phases with the memory at both ends, and samples in between."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from cirron.faults import Faults
from cirron.spool.telemetry_event import TelemetryEvent
from stormlog.alerts import Alert
from stormlog.collectors import choose
from stormlog.followed_scopes import Leave, follow, stop_following
from stormlog.history import EventHistory
from stormlog.phases.runtime import PhaseHandle, PhaseRecorder
from stormlog.tracker_settings import checked
from stormlog.tracking import TrackingSession


class MemoryTracker:
    """Looks at the memory in the background, and at both ends of each phase.

    Args:
        device: `host`, `cuda`, `cuda:<number>` or `mps`; by default the GPU that torch would use, if the program has
            imported torch and there is one, and else the host.
        sampling_interval_ms: from one sample to the next.
        max_events: how many events are kept, of about a kilobyte each; the oldest go, and are counted.
        warning_share: how full the device must be for a warning, from 0 to 1.
        critical_share: likewise for a critical alert.
        on_alert: called with an `Alert` once for each time that one of these is passed, in whichever thread saw it.
        oom_dir: where a folder with all that is known is written when memory runs out: when a `MemoryError` or torch's
            `OutOfMemoryError` leaves a phase or the program, or a control group is as full as `critical_share`; at most
            three in a session. None for none.
        scopes: whether scopes are phases too, while `ci.profile()` or an instance of `Cirron` is active: those of
            `scope`, `epochs` and `batches`, and those of the hooks, but no requests of `inference`: these take turns in
            a thread. A phase is a scope in any case. Of several trackers the last one to start gets them.
        job_id: the run; by default, as the next three, what the launcher says (torchrun, Open MPI, Slurm).
        rank: of this process in the run.
        local_rank: likewise on its machine.
        world_size: the number of ranks.

    Raises:
        ValueError: an argument makes no sense, or there is no such device.

    A forked child of a process that tracks goes on in a session of its own, which begins with its first phase.

    Example:
        with MemoryTracker() as tracker:
            with tracker.phase("forward"):
                ...
        save_events(tracker.events(), "memory.jsonl")
    """

    def __init__(
        self,
        *,
        device: str | None = None,
        sampling_interval_ms: int = 100,
        max_events: int = 10_000,
        warning_share: float = 0.85,
        critical_share: float = 0.95,
        on_alert: Callable[[Alert], object] | None = None,
        oom_dir: str | os.PathLike[str] | None = ".cirron/oom",
        scopes: bool = False,
        job_id: str | None = None,
        rank: int | None = None,
        local_rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self._settings = checked(
            device=device,
            sampling_interval_ms=sampling_interval_ms,
            max_events=max_events,
            warning_share=warning_share,
            critical_share=critical_share,
            on_alert=on_alert,
            oom_dir=oom_dir,
            scopes=scopes,
            job_id=job_id,
            rank=rank,
            local_rank=local_rank,
            world_size=world_size,
        )
        choose(device, self._settings.local_rank)  # says now what is wrong with it
        self._recorder = PhaseRecorder()
        self._end: weakref.finalize[[], Any] | None = None
        self._start_afresh(resumes=False)
        _trackers.add(self)

    def _start_afresh(self, *, resumes: bool) -> None:
        self._lock = threading.RLock()
        self._faults = Faults()
        self._history = EventHistory(self._settings.max_events)
        self._session: TrackingSession | None = None
        self._resumes = resumes

    def __enter__(self) -> MemoryTracker:
        self.start_tracking()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session = self._session
        if session is not None:
            session.look_at(exc)
        self.stop_tracking()

    @property
    def is_tracking(self) -> bool:
        """Whether phases can be entered."""
        return self._session is not None or self._resumes

    @property
    def session_id(self) -> str | None:
        """The session that is under way; None outside of one."""
        session = self._session
        return None if session is None else session.session_id

    def start_tracking(self) -> None:
        """Begin a session: take a first sample, and more in the background. While one is under way, nothing happens.

        Raises:
            ValueError: the device is there no more.
        """
        with self._lock:
            if self._session is not None:
                return
            collector = choose(self._settings.device, self._settings.local_rank)
            self._recorder.reset()
            session = TrackingSession(self._settings, collector, self._history, self._recorder, self._faults)
            session.begin()
            if self._settings.scopes:
                follow(self._follow)
            self._session, self._resumes = session, False
            self._end = weakref.finalize(self, session.end_with_program)

    def stop_tracking(self) -> None:
        """End the session with a last sample. Its events remain; where none is under way, nothing happens."""
        with self._lock:
            session, self._session, self._resumes = self._session, None, False
            end, self._end = self._end, None
            stop_following(self._follow)
        if end is not None and session is not None and end.detach() is not None:
            session.end()

    def enter_phase(self, name: str, metadata: Mapping[str, Any] | None = None) -> PhaseHandle:
        """Enter a phase below the innermost one that is open in this thread or asyncio task.

        Args:
            name: what it is called.
            metadata: numbers, text and the like that are to be known of it.

        Returns:
            The handle with which to close it.

        Raises:
            RuntimeError: no session is under way.
            ValueError: the name is empty.

        Example:
            phase = tracker.enter_phase("load", {"shard": 3})
            ...
            phase.close()
        """
        return self._under_way(name).enter(name, metadata)

    @contextmanager
    def phase(self, name: str, metadata: Mapping[str, Any] | None = None) -> Iterator[PhaseHandle]:
        """A phase for the time of a `with` block; arguments and exceptions are those of `enter_phase`.

        Example:
            with tracker.phase("forward"):
                ...
        """
        with self.enter_phase(name, metadata) as handle:
            yield handle

    def events(self) -> list[TelemetryEvent]:
        """What was recorded, the oldest first; of several sessions, one after the other."""
        return self._history.events()

    def health(self) -> dict[str, Any]:
        """Whether it is tracking, how many events are kept and were dropped, and what went wrong how often."""
        return {
            "tracking": self.is_tracking,
            "events": len(self._history),
            "dropped_events": self._history.dropped,
            "faults": self._faults.counts(),
        }

    def _follow(self, name: str) -> Leave | None:
        """A scope was opened."""
        if self._resumes:
            self.start_tracking()
        session = self._session
        return None if session is None else session.follow(name)

    def _under_way(self, name: str) -> TrackingSession:
        if self._resumes:
            self.start_tracking()
        session = self._session
        if session is None:
            raise RuntimeError(
                f"phase {name!r} cannot be entered while the tracker is not tracking: call start_tracking() first"
            )
        return session

    def _after_fork(self) -> None:
        """Forget what is the parent's: its session, thread and events, and locks that may be held for ever."""
        if self._end is not None:
            self._end.detach()
            self._end = None
        self._recorder = PhaseRecorder()
        self._start_afresh(resumes=self.is_tracking)


_trackers: weakref.WeakSet[MemoryTracker] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for tracker in tuple(_trackers):
        tracker._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
