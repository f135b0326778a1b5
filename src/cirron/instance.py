"""The `Profiler` handle, and `Cirron`: an instance with its own settings, one session at a time.

Nothing heavy is imported before a session begins, for `import cirron` is part of a program's start-up time.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from _thread import RLock
from _weakrefset import WeakSet

from cirron.ending import COMPLETED, AtExit
from cirron.faults import Faults
from cirron.vitals import vitals

TYPE_CHECKING = False  # what `typing` calls so, without its milliseconds; checkers know the name
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Container, Iterable, Mapping, Sequence
    from types import EllipsisType
    from typing import Any, TypeVar, overload

    from cirron._recorder import Recorder
    from cirron._recorder.idle import AnyScope
    from cirron._recorder.native import Meter
    from cirron.estimators import Owner
    from cirron.hooks import Target
    from cirron.recording import Recording
    from cirron.settings import Settings
    from cirron.snapshots import Taking, Watched
    from cirron.workers import Lineage

    F = TypeVar("F", bound=Callable[..., Any])
    L = TypeVar("L", bound=Iterable[Any] | AsyncIterable[Any])
    T = TypeVar("T")
else:

    def overload(function):  # noqa: ANN001, ANN201, D103 - what `typing` has it do
        return function


NOT_STARTED = "no session could be started, so nothing is recorded"

_instances: WeakSet[Cirron] = WeakSet()


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
        """The frameworks that open scopes in this session by themselves."""
        installed: list[str] = self._owner._health_of(self._recording)["frameworks_installed"]
        return installed

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
        self._owner._end(self, COMPLETED)

    def trace(self, format: str = "tree", name: str | None = None, last: int | None = None) -> Any:
        """The session's scope tree; see `cirron.trace`."""
        return _trace(self._recording, format, name, last)


class Cirron:
    """A recorder of its own with its own settings and folder; several may be at work at once.

    Most programs need none: the functions of the module act on a default instance. What is left out here
    comes from the environment (`CIRRON_API_KEY`, …), else `~/.cirron/config.json`, else the defaults.

    Args:
        api_key: the key for a server; with it, what is in the spool is sent there.
        api_endpoint: the server's URL, `https://app.cirron.com` by default.
        workspace_id: the workspace there.
        output_dir: the folder of the spool, `./.cirron` by default.
        snapshots: `"stats"` (the default), `"sampled"`, `"full"` or None; see `cirron.profile`.
        sample_rate: the share of each tensor's elements that `snapshots="sampled"` keeps, 0.01 by default.
        flush_interval: seconds between two writes to the spool, 1.0 by default.
        spool_max_bytes: when the spool grows beyond this, its oldest batches go; 1 GiB by default.
        snapshot_max_bytes: the same for the files with the values of snapshots; 4 GiB by default.
        output: where records go; see `cirron.profile`.

    Raises:
        ValueError, TypeError: an argument that is not accepted; the message says what is.
        CirronDependencyError: `snapshots` asks for values, and the extra `cirron[snapshots]` is not installed.

    Example:
        recorder = Cirron(output_dir="runs/42")
        recorder.profile()
        with recorder.scope("load"):
            ...
        recorder.shutdown()
    """

    # In a worker process: has an estimator record into the session of that. Only that of the default instance is
    # one there as well.
    _record_again: Callable[..., Any] | None = None

    def __init__(
        self,
        api_key: str | None = None,
        api_endpoint: str | None = None,
        workspace_id: str | None = None,
        output_dir: str | os.PathLike[str] | None = None,
        snapshots: str | None = "stats",
        sample_rate: float | None = None,
        *,
        flush_interval: float | None = None,
        spool_max_bytes: int | None = None,
        snapshot_max_bytes: int | None = None,
        output: str | Sequence[str] | None = None,
    ) -> None:
        from cirron.arguments import check_snapshots
        from cirron.settings import checked

        check_snapshots(snapshots)
        self._set_up(
            {"snapshots": snapshots}
            | checked(
                {
                    "api_key": api_key,
                    "api_endpoint": api_endpoint,
                    "workspace_id": workspace_id,
                    "output_dir": output_dir,
                    "sample_rate": sample_rate,
                    "flush_interval": flush_interval,
                    "spool_max_bytes": spool_max_bytes,
                    "snapshot_max_bytes": snapshot_max_bytes,
                    "output": output,
                }
            )
        )

    def _set_up(self, given: dict[str, Any]) -> None:
        self._given = given
        self._lock = RLock()  # reentrant: a signal handler may call while its thread is inside
        self._faults = Faults()
        self._profiler: Profiler | None = None
        self._recording: Recording | None = None  # of the latest session, which may be over
        self._frameworks: Sequence[str] | None = ()  # to hook; None for all there are
        self._watched: Watched | None = None
        self._taking: Taking | None = None  # of the latest session
        self._exit_hook = AtExit(self._at_exit)
        _instances.add(self)

    def profile(
        self,
        config: Mapping[str, Any] | None = None,
        frameworks: Sequence[str] | None = None,
        snapshots: str | EllipsisType | None = ...,
        sample_rate: float | None = None,
        *,
        flush_interval: float | None = None,
        enabled: bool = True,
        path: str | os.PathLike[str] | None = None,
        output: str | Sequence[str] | None = None,
    ) -> Profiler:
        """Start a session on this instance; see `cirron.profile`. Without `snapshots` it is as the instance has it."""
        try:
            from cirron.arguments import check_profile, profile_settings
        except Exception as error:  # noqa: BLE001 - no memory, or no file that may be opened
            self._faults.note("profile", error, NOT_STARTED)
            return Profiler(self, None)
        check_profile(config, frameworks, snapshots, enabled)
        given = {
            **self._given,
            **profile_settings(config, snapshots, sample_rate, flush_interval, path, output),
        }
        with self._lock:
            if self._is_parents:
                self._profiler = None
            if self._profiler is None:
                self._frameworks = frameworks
                self._profiler = self._begin(
                    lambda faults: _start(given, self._lineage(), faults) if enabled else None
                )
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

    def epochs(self, iterable: L) -> L:
        """The same items, each in an `epoch` scope of this instance's session; see `cirron.epochs`."""
        recorder = self._recorder
        loop: Any = iterable if recorder is None else recorder.epochs(iterable)  # as good as the iterable
        return loop  # type: ignore[no-any-return]

    def batches(self, iterable: L) -> L:
        """The same items, each in a `batch` scope of this instance's session; see `cirron.batches`."""
        recorder = self._recorder
        loop: Any = iterable if recorder is None else recorder.batches(iterable)  # as good as the iterable
        return loop  # type: ignore[no-any-return]

    def wrap(self, estimator: T) -> T:
        """Have a scikit-learn estimator record into this instance's session; see `cirron.wrap`."""
        from cirron.estimators import wrap

        try:
            return wrap(estimator, self._owner())
        except Exception as error:  # noqa: BLE001 - of a class that nobody here has seen
            self._faults.note("wrap", error, f"{type(estimator).__name__} is not recorded")
            return estimator

    def watch(self, model: object) -> None:
        """Look at a model at the end of each epoch of this instance's `epochs`; see `cirron.watch`."""
        from cirron.snapshots import Watched

        with self._lock:
            self._watched = self._watched or Watched()
            try:
                self._watched.add(model)
            except TypeError as error:
                self._faults.warn(f"watch(): {error}; nothing more is watched")
            if (taking := self._take_snapshots()) is not None:
                taking.begin()

    @overload
    def inference(  # noqa: D102 - an overload
        self,
        function: F,
        /,
        *,
        config: Mapping[str, Any] | None = None,
        sample_rate: float | None = None,
        slow_s: float | None = None,
    ) -> F: ...
    @overload
    def inference(  # noqa: D102, F811 - an overload
        self,
        function: None = None,
        /,
        *,
        config: Mapping[str, Any] | None = None,
        sample_rate: float | None = None,
        slow_s: float | None = None,
    ) -> Callable[[F], F]: ...
    def inference(  # noqa: F811 - what they are for
        self,
        function: Any = None,
        /,
        *,
        config: Mapping[str, Any] | None = None,
        sample_rate: float | None = None,
        slow_s: float | None = None,
    ) -> Any:
        """Record each call of a function as a request in this instance's session; see `cirron.inference`."""
        from cirron.serving.wrapping import decorator

        decorate = decorator(config, sample_rate, slow_s, find=lambda: self._recorder)
        return decorate if function is None else decorate(function)

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
            self._end(profiler, COMPLETED)

    def trace(self, format: str = "tree", name: str | None = None, last: int | None = None) -> Any:
        """The scope tree of this instance's latest session; see `cirron.trace`."""
        return _trace(self._recording, format, name, last)

    @property
    def _recorder(self) -> Recorder | None:
        if self._is_parents and self._profiler is not None:
            self._begin_as_worker()
        return self._recording.recorder if self._recording is not None else None

    @property
    def _is_parents(self) -> bool:
        """Whether the latest session is that of the process this one was forked from."""
        return self._recording is not None and self._recording.is_parents

    def _begin(self, start: Callable[[Faults], Recording | None]) -> Profiler:
        self._faults = Faults()
        try:
            self._recording = start(self._faults)
        except Exception as error:  # noqa: BLE001 - the program goes on without being recorded
            self._recording = None
            self._faults.note("profile", error, NOT_STARTED)
        self._record_into(self._recording.recorder if self._recording is not None else None)
        self._taking = None
        if self._watched is not None and (taking := self._take_snapshots()) is not None:
            taking.begin()
        self._exit_hook.register()
        self._hook_frameworks()
        return Profiler(self, self._recording)

    def _hook_frameworks(self) -> None:
        if self._recording is None or self._frameworks == ():
            return
        from cirron import hooks

        try:
            hooks.claim(self, self._target(), self._frameworks)
        except Exception as error:  # noqa: BLE001 - no memory, or what we call has been replaced
            self._faults.note("hooks", error, "no framework is hooked")

    def _unhook_frameworks(self) -> None:
        hooks = sys.modules.get("cirron.hooks")
        if hooks is not None:
            hooks.release(self)

    def _target(self) -> Target:
        """Where hooks record for this instance."""
        from cirron.hooks import Target

        return Target(
            find_recorder=self._find_recorder,
            scope=self.scope,
            scope_unless=self._scope_unless,
            innermost=self._innermost,
            here=self._here,
            mark=self.mark,
            watch=self._watch_found,
            keep_gradients=self._keep_gradients,
            divide_gradients=self._divide_gradients,
            end_epoch=self._end_epoch,
            set_meter=self._set_meter,
            faults=self._faults,
        )

    def _owner(self) -> Owner:
        """In whose session wrapped estimators record."""
        from cirron.estimators import Owner

        return Owner(self._target(), self._record_again)

    def _find_recorder(self) -> Recorder | None:
        return self._recorder

    def _scope_unless(self, *name_and_where: Any) -> AnyScope | None:
        recorder = self._recorder
        return None if recorder is None else recorder.scope_unless(*name_and_where)

    def _innermost(self, names: tuple[str, ...]) -> str | None:
        recorder = self._recorder
        return None if recorder is None else recorder.innermost(names)

    def _here(self) -> tuple[str, int] | None:
        recorder = self._recorder
        return None if recorder is None else recorder.here()

    def _set_meter(self, meter: Meter | None) -> None:
        recording = self._recording
        recorder = recording.recorder if recording is not None else None
        if recorder is not None:
            recorder.set_meter(meter)

    def _take_snapshots(self) -> Taking | None:
        """What looks at the models at the end of each epoch of the session; None if it is to take no snapshots."""
        recording = self._recording
        recorder = recording.recorder if recording is not None else None
        if self._taking is not None or recorder is None or recording is None:
            return self._taking if recorder is not None else None
        if recording.settings.snapshots is None:
            return None
        from cirron.snapshots import Taking, Watched

        self._watched = self._watched or Watched()
        self._taking = Taking(self._watched, recorder, self._faults, *recording.value_files())
        recorder.set_epoch_end(self._taking.take)
        return self._taking

    def _watch_found(self, model: object) -> None:
        """As `watch`, for what hooks come by in this session."""
        with self._lock:
            taking = self._take_snapshots()
            if taking is not None:
                taking.found.add(model)
                taking.begin()

    def _keep_gradients(self, only: Container[int] | None = None) -> None:
        if self._taking is not None and not self._is_parents:
            self._taking.keep_gradients(only)

    def _divide_gradients(self, divisors: Callable[[], dict[int, float]]) -> None:
        with self._lock:
            taking = self._take_snapshots()
            if taking is not None:
                taking.divisors = divisors

    def _end_epoch(self, epoch: AnyScope) -> None:
        """As the recorder does at the end of the epochs of `epochs`, for one that hooks have opened."""
        recorder, taking = self._recorder, self._taking
        place = epoch._place() if recorder is not None and taking is not None else None
        if recorder is not None and taking is not None and place is not None:
            began_ns = time.perf_counter_ns()
            taking.take(*place)
            recorder.add_overhead(time.perf_counter_ns() - began_ns)

    def _begin_as_worker(self) -> None:
        """Begin a session of this process with the settings of its parent's; without any, nothing happens."""
        with self._lock:
            if self._recording is not None and not self._recording.is_parents:
                return  # another thread was quicker
            try:
                found, lineage = self._parents_wishes(), self._lineage()
            except Exception as error:  # noqa: BLE001 - as when a session is asked for
                self._faults.note("profile", error, NOT_STARTED)
                return
            if found is not None and lineage is not None:
                settings, self._frameworks = found
                self._profiler = self._begin(lambda faults: _start_with(settings, lineage, faults))

    def _parents_wishes(self) -> tuple[Settings, Sequence[str] | None] | None:
        """Its settings, and the frameworks to hook: none in the worker of a loader, where no model is trained."""
        from cirron.workers import announced, dataloader_worker

        if self._recording is not None and self._recording.is_parents:
            return self._recording.settings, self._frameworks
        found = announced()
        if found is None:
            return None
        return found.settings, () if dataloader_worker() is not None else found.frameworks

    def _lineage(self) -> Lineage | None:
        """Whose child this process is: of the one it was forked from, or of the one that spawned it."""
        from cirron.workers import Lineage, announced, worker_name

        if self._recording is not None and self._recording.is_parents:
            parent = self._recording
            return Lineage(worker_name(), parent.session_id, parent.pid) if parent.was_live else None
        found = announced()
        return Lineage(worker_name(), found.session_id, found.pid) if found is not None else None

    def _at_exit(self) -> None:
        profiler, recording = self._profiler, self._recording
        if profiler is not None:
            self._end(profiler, recording.exit.verdict() if recording is not None else COMPLETED)

    def _end(self, profiler: Profiler, ended: str) -> None:
        with self._lock:
            if profiler is self._profiler:
                self._unhook_frameworks()
                self._profiler = None
                self._exit_hook.cancel()
                self._record_into(None)
        # Outside of the lock: the writer that is waited for may itself be asking for it, in a logging handler.
        if profiler._recording is not None:
            profiler._recording.close(ended)

    def _after_fork(self) -> None:
        """In the child: locks may be held by threads that are not here."""
        self._lock = RLock()
        self._faults = Faults()

    def _health_of(self, recording: Recording | None) -> dict[str, Any]:
        hooks = sys.modules.get("cirron.hooks")
        is_current = recording is not None and recording is self._recording
        return vitals(recording, self._faults, hooks.state(self) if hooks is not None and is_current else {})

    def _record_into(self, recorder: Recorder | None) -> None:
        """Tell those who have to know where this instance records from now on; nobody but itself has to."""


def _require_main_interpreter() -> None:
    """To be called before the rest is imported: what we need of others may crash in a second interpreter."""
    from cirron._recorder import Recorder

    if Recorder.__module__ == "cirron._recorder.elsewhere":  # the core's stand-in there
        raise RuntimeError("cirron works in the main interpreter only, and this is a subinterpreter")


def _start(given: dict[str, Any], lineage: Lineage | None, faults: Faults) -> Recording:
    _require_main_interpreter()
    from cirron.recording import start

    return start(given, lineage, faults)


def _start_with(settings: Settings, lineage: Lineage, faults: Faults) -> Recording:
    from cirron.recording import start_with

    return start_with(settings, lineage, faults)


_resting: list[Recording] = []  # whose threads were stopped for a fork that is under way


def _before_fork() -> None:
    """Let a program that has no threads of its own fork as one without threads, of which CPython 3.12 warns."""
    live = [each._recording for each in tuple(_instances) if each._recording is not None]
    ours = sum(recording.threads() for recording in live)
    if ours > 0 and threading.active_count() == 1 + ours:
        _resting.extend(live)
        for recording in live:
            recording.pause_threads()


def _after_fork_in_parent() -> None:
    while _resting:
        _resting.pop().resume_threads()


def _after_fork_in_child() -> None:
    _resting.clear()
    for instance in tuple(_instances):
        instance._after_fork()
    signals = sys.modules.get("cirron.signals")
    if signals is not None:
        signals.forget_all()


os.register_at_fork(after_in_child=_after_fork_in_child)
if sys.version_info >= (3, 12):  # which warns; and it costs the fork a millisecond
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)


def _trace(recording: Recording | None, format: str, name: str | None, last: int | None) -> Any:
    from cirron.tree import check_request, present

    check_request(format, name, last)
    batches = [] if recording is None else recording.read_back()
    return present(batches, format, name, last, time.time_ns())
