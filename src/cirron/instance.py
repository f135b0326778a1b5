"""The `Profiler` handle, and `Cirron`: an instance with its own settings, one session at a time.

Nothing heavy is imported before a session begins, for `import cirron` is part of a program's start-up time.
"""

from __future__ import annotations

import atexit
from _thread import RLock

TYPE_CHECKING = False  # what `typing` calls so, without its milliseconds; checkers know the name
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from cirron._recorder import Recorder
    from cirron._recorder.idle import AnyScope
    from cirron.recording import Recording

    T = TypeVar("T")


class Profiler:
    """The handle of one session, as `profile()` returns it.

    After `shutdown()` it still answers: `health()` as it was in the end, `trace()` with all records.
    """

    def __init__(self, owner: Cirron, recording: Recording | None) -> None:
        self._owner = owner
        self._recording = recording

    @property
    def enabled(self) -> bool:
        """Whether the session records: not with `enabled=False`, nor after its end."""
        return self._recording is not None and self._recording.recorder is not None

    @property
    def installed_hooks(self) -> list[str]:
        """The frameworks that open scopes by themselves."""
        return []

    @property
    def platform_context(self) -> dict[str, str | None]:
        """The platform's ids of this run: `run_id`, `pipeline_id` and `deployment_id`, None outside of it."""
        settings = self._recording.settings if self._recording is not None else None
        names = ("run_id", "pipeline_id", "deployment_id")
        return {name: getattr(settings, name, None) for name in names}

    def flush(self) -> None:
        """Return when everything closed or marked before the call is on disk."""
        if self._recording is not None:
            self._recording.flush()

    def health(self) -> dict[str, Any]:
        """A snapshot of the session's state; see `cirron.health`."""
        return self._owner._health_of(self._recording)

    def shutdown(self) -> None:
        """End the session; see `cirron.shutdown`. Of a session that is over, nothing."""
        self._owner._end(self)

    def trace(self, format: str = "tree", name: str | None = None, last: int | None = None) -> Any:
        """The session's scope tree; see `cirron.trace`."""
        return _trace(self._recording, format, name, last)


class Cirron:
    """A recorder of its own with its own settings and folder; several may be at work at once.

    Most programs need none: the functions of the module act on a default instance. What is left out here
    comes from the environment (`CIRRON_API_KEY`, …), else `~/.cirron/config.json`, else the defaults.

    Args:
        api_key: the key for a server; kept for delivery, which this version does not have yet.
        api_endpoint: the server's URL.
        workspace_id: the workspace there.
        output_dir: the folder of the spool, `./.cirron` by default.
        flush_interval: seconds between two writes to the spool, 1.0 by default.
        output: where records go; `"spool"` is the one sink there is.

    Raises:
        ValueError, TypeError: an argument that is not accepted; the message says what is.

    Example:
        recorder = Cirron(output_dir="runs/42")
        recorder.profile()
        with recorder.scope("load"):
            ...
        recorder.shutdown()
    """

    def __init__(
        self,
        api_key: str | None = None,
        api_endpoint: str | None = None,
        workspace_id: str | None = None,
        output_dir: str | os.PathLike[str] | None = None,
        *,
        flush_interval: float | None = None,
        output: str | Sequence[str] | None = None,
    ) -> None:
        from cirron.arguments import check_output
        from cirron.faults import Faults
        from cirron.settings import checked

        check_output(output)
        self._given = checked(
            {
                "api_key": api_key,
                "api_endpoint": api_endpoint,
                "workspace_id": workspace_id,
                "output_dir": output_dir,
                "flush_interval": flush_interval,
            }
        )
        self._lock = RLock()  # reentrant: a signal handler may call while its thread is inside
        self._faults = Faults()
        self._profiler: Profiler | None = None
        self._recording: Recording | None = None  # of the latest session, which may be over

    def profile(
        self,
        config: Mapping[str, Any] | None = None,
        frameworks: Sequence[str] | None = None,
        snapshots: str | None = None,
        *,
        flush_interval: float | None = None,
        enabled: bool = True,
        path: str | os.PathLike[str] | None = None,
        output: str | Sequence[str] | None = None,
    ) -> Profiler:
        """Start a session on this instance; see `cirron.profile`."""
        from cirron.arguments import check_profile, profile_settings

        check_profile(config, frameworks, snapshots, enabled, output)
        given = profile_settings(config, flush_interval, path)
        with self._lock:
            if self._recording is not None and self._recording.is_parents:
                self._profiler = None  # forked: that session is the parent's affair
            if self._profiler is None:
                self._profiler = self._begin({**self._given, **given}, enabled)
            else:
                self._faults.warn(
                    "profile() was called before, and its session goes on with its settings as they are: "
                    "call shutdown() first to begin another"
                )
            return self._profiler

    def scope(self, name: str, index: int | None = None, **attrs: Any) -> AnyScope:
        """A scope in this instance's session; see `cirron.scope`."""
        recorder = self._recorder
        if recorder is not None:
            return recorder.scope(name, index, **attrs)
        from cirron._recorder.idle import IdleScope

        return IdleScope(lambda: self.scope(name, index, **attrs))

    def mark(self, name: str, value: Any, kind: str = "point", **attrs: Any) -> None:
        """A mark in this instance's session; see `cirron.mark`."""
        recorder = self._recorder
        if recorder is not None:
            recorder.mark(name, value, kind, **attrs)

    def epochs(self, iterable: Iterable[T]) -> Iterable[T]:
        """The same items, each in an `epoch` scope of this instance's session; see `cirron.epochs`."""
        recorder = self._recorder
        return iterable if recorder is None else recorder.epochs(iterable)

    def batches(self, iterable: Iterable[T]) -> Iterable[T]:
        """The same items, each in a `batch` scope of this instance's session; see `cirron.batches`."""
        recorder = self._recorder
        return iterable if recorder is None else recorder.batches(iterable)

    def flush(self) -> None:
        """Return when everything closed or marked before the call is on disk."""
        if self._recording is not None:
            self._recording.flush()

    def health(self) -> dict[str, Any]:
        """A snapshot of this instance's state; see `cirron.health`."""
        return self._health_of(self._recording)

    def shutdown(self) -> None:
        """End this instance's session; see `cirron.shutdown`."""
        profiler = self._profiler
        if profiler is not None:
            self._end(profiler)

    def trace(self, format: str = "tree", name: str | None = None, last: int | None = None) -> Any:
        """The scope tree of this instance's latest session; see `cirron.trace`."""
        return _trace(self._recording, format, name, last)

    @property
    def _recorder(self) -> Recorder | None:
        return self._recording.recorder if self._recording is not None else None

    def _begin(self, given: dict[str, Any], enabled: bool) -> Profiler:
        from cirron.faults import Faults

        self._faults = Faults()
        self._recording = self._start_recording(given) if enabled else None
        self._record_into(self._recorder)
        atexit.unregister(self.shutdown)  # a forked child has its parent's registration
        atexit.register(self.shutdown)
        return Profiler(self, self._recording)

    def _start_recording(self, given: dict[str, Any]) -> Recording | None:
        try:
            from cirron.recording import start

            return start(given, self._faults)
        except Exception as error:  # noqa: BLE001 - the program goes on without being recorded
            self._faults.note("profile", error, "no session could be started, so nothing is recorded")
            return None

    def _end(self, profiler: Profiler) -> None:
        with self._lock:
            if profiler is not self._profiler:
                return
            self._profiler = None
            atexit.unregister(self.shutdown)
            self._record_into(None)
            recording = self._recording
        # Outside of the lock: the writer that is waited for may itself be asking for it, in a logging handler.
        if recording is not None:
            recording.close("completed")

    def _health_of(self, recording: Recording | None) -> dict[str, Any]:
        from cirron.vitals import vitals

        return vitals(recording, self._faults)

    def _record_into(self, recorder: Recorder | None) -> None:
        """Tell those who have to know where this instance records from now on; nobody but itself has to."""


def _trace(recording: Recording | None, format: str, name: str | None, last: int | None) -> Any:
    import time

    from cirron.tree import check_request, present

    check_request(format, name, last)
    batches = [] if recording is None else recording.read_back()
    return present(batches, format, name, last, time.time_ns())
