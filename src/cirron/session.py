"""The module's functions `profile`, `flush`, `health`, `shutdown` and `trace`: those of the default instance."""

from __future__ import annotations

import os
from _thread import RLock

from cirron import _recorder
from cirron.instance import Cirron, Profiler

TYPE_CHECKING = False  # as in cirron.instance
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeVar

    from cirron.hooks import Target
    from cirron.settings import Settings
    from cirron.workers import Announcement

    T = TypeVar("T")


class _Default(Cirron):
    """The instance behind the functions of the module, whose `scope` and `mark` are the native ones."""

    def __init__(self) -> None:
        self._set_up({})
        self._announcement: Announcement | None = None

    @staticmethod
    def _record_again(part: str | None, make: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        from cirron.estimators import turn_into

        estimator = make(*arguments)
        turn_into(estimator, _the_default()._owner(), part)
        return estimator

    def _target(self) -> Target:
        native = {name: getattr(_recorder, name) for name in ("scope", "scope_unless", "innermost", "mark")}
        return super()._target()._replace(find_recorder=None, **native)

    def _record_into(self, recorder: _recorder.Recorder | None) -> None:
        _recorder.set_default(recorder)
        if self._announcement is not None:
            self._announcement.withdraw()
            self._announcement = None
        if recorder is not None and self._recording is not None:
            self._announcement = _announce(recorder, self._recording.settings, self._frameworks)


def _announce(
    recorder: _recorder.Recorder, settings: Settings, frameworks: Sequence[str] | None
) -> Announcement:
    from cirron.workers import Announcement

    wanted = None if frameworks is None else tuple(frameworks)
    announcement = Announcement(os.getpid(), recorder.session_id, settings, wanted)
    announcement.publish()
    return announcement


_default: _Default | None = None
_default_lock = RLock()  # reentrant: a signal handler may call while its thread is inside


def _fresh_lock() -> None:
    """In a forked child: the lock may be held by a thread that is not here."""
    global _default_lock
    _default_lock = RLock()


os.register_at_fork(after_in_child=_fresh_lock)


def _the_default() -> _Default:
    global _default
    with _default_lock:
        if _default is None:
            _default = _Default()
        return _default


def _begin_as_worker() -> None:
    _the_default()._begin_as_worker()


# In a child process that was forked, or spawned by multiprocessing, the first scope or mark begins its session.
_recorder.set_starter(_begin_as_worker)
if "CIRRON_PARENT" in os.environ:  # cirron.workers.VARIABLE, whose module is not needed before that
    _recorder.arm_starter()


def profile(
    config: Mapping[str, Any] | None = None,
    frameworks: Sequence[str] | None = None,
    snapshots: str | None = "stats",
    sample_rate: float | None = None,
    *,
    flush_interval: float | None = None,
    enabled: bool = True,
    path: str | os.PathLike[str] | None = None,
    output: str | Sequence[str] | None = None,
) -> Profiler:
    """Start recording, and get the handle of the session.

    From here on scopes and marks are kept, in `./.cirron/` unless told otherwise, until `shutdown()` or the
    end of the program. Call it once: a second call logs a warning and returns the same handle. Once its
    arguments are accepted it never fails: a session that cannot start says so in a warning.

    Args:
        config: settings by name: `api_key`, `api_endpoint`, `workspace_id`, `run_id`, `pipeline_id`,
            `deployment_id`, `output_dir`, `output`, `flush_interval`, `spool_max_bytes` (beyond it the oldest
            batches go; 1 GiB by default), `snapshot_max_bytes` (the same for the files of values; 4 GiB),
            `sample_rate`, `ring_marks` (marks a thread holds until they are written), `batch_max_bytes` and `fsync`
            (batches survive a power failure, and cost more).
        frameworks: frameworks that shall open scopes by themselves, such as `["torch"]`; all that are known by
            default, whether they are imported before this call or after it. `[]` for none. `"tensorflow"` means
            Keras 3, whatever its backend.
        snapshots: `"stats"` for the mean, deviation, range, norm and histogram of each parameter and gradient at the
            end of each epoch, of the models that hooks find and those that `watch` names; `"sampled"` and `"full"` for
            a sample of the values besides, or all of them, in files below `.cirron/snapshots`; None for none.
        sample_rate: the share of each tensor's elements that `"sampled"` keeps, 0.01 by default, but never fewer than
            1,024 of them.
        flush_interval: seconds between two writes to the spool, 1.0 by default.
        enabled: False for a handle on which everything does nothing, at almost no cost.
        path: folder to use instead of `./.cirron`.
        output: where records go on this machine: `"spool"` (the default), `"log"` (a line each, on the logger
            `cirron.records`), `"stdout"`, a list of these, or `"none"`. Without the spool, `trace()` has only
            what is open at the moment.

    Raises:
        ValueError, TypeError: an argument that is not accepted; the message says what is.
        CirronDependencyError: `snapshots` asks for values, and the extra `cirron[snapshots]` is not installed.

    Example:
        import cirron as ci

        ci.profile()
        for epoch in ci.epochs(range(10)):
            ci.mark("loss", train(epoch))
        ci.trace()
    """
    return _the_default().profile(
        config,
        frameworks,
        snapshots,
        sample_rate,
        flush_interval=flush_interval,
        enabled=enabled,
        path=path,
        output=output,
    )


def watch(model: object) -> None:
    """Look at a model's parameters and gradients at the end of each epoch, where no hook has found it.

    Hooks find what a torch optimizer or the `fit` of Keras trains. It may be called before or after `profile`, and for
    several models. A model is not kept alive by it. Each look is one pass or two over the tensors where they are;
    `cirron traces snapshots` lists what was seen. Whatever cannot be watched is named in a warning; nothing is raised.

    Args:
        model: a `torch.nn.Module`, or a Keras model on torch or TensorFlow.

    Example:
        ci.watch(model)
        for epoch in ci.epochs(range(10)):
            train(model)
    """
    _the_default().watch(model)


def wrap(estimator: T) -> T:
    """The estimator itself, with a scope around each `fit`, `predict`, `transform` and the like from now on.

    For scikit-learn, and what keeps to its rules; any other object comes back as it is. Of a scope's attributes,
    `estimator` tells the class. What an estimator is made of is recorded within it: each step of a `Pipeline` in a
    scope with the name of the step, each candidate of a `GridSearchCV`. Clones and copies record as well, also in
    worker processes of joblib; a pickle holds the plain estimator. Nothing is recorded unless a session is there, and
    nothing is raised.

    Args:
        estimator: the estimator, fitted or not.

    Example:
        model = ci.wrap(make_pipeline(StandardScaler(), LogisticRegression()))
        model.fit(X, y)
    """
    return _the_default().wrap(estimator)


def flush() -> None:
    """Return when everything closed or marked before the call is on disk; without a session, at once.

    A disk that hangs holds it up for 15 seconds at most; a warning says so then, and nothing is lost by it.

    Example:
        ci.flush()  # ./.cirron/spool holds everything so far
    """
    _the_default().flush()


def health() -> dict[str, Any]:
    """A snapshot of the recorder's state, good for a health check: it never raises.

    Beyond what is at work (`enabled`, `transport`, `session_id`, `spool_dir`, `journal`, `threads`, and
    `degraded`, which says why nothing is sent any more) and what is hooked (`frameworks_installed`; in
    `frameworks_failed` why others are not) it counts all that was lost or failed:
    `mark_drop_count`, `span_drop_count`, `memory_drop_count` and `drops_by_thread` (a ring was full),
    `scope_drop_count` (nested too deep), `mark_reject_count` (values that no mark can hold),
    `spool_drop_count` (batches that the spool's cap removed, with `spool_drop_span_count`,
    `spool_drop_mark_count` and `spool_drop_memory_count`), `sink_drop_count` (batches that `log` or `stdout`
    were too slow for), `seal_failure_count` (failed tries to write a batch), `snapshot_drop_count`
    (snapshots that waited for a batch in vain), `snapshot_skip_count` (looks whose values were not written
    in full), `snapshot_file_drop_count` (spans whose files of values the cap removed),
    `request_left_out_count` (requests that `sample_rate` did not choose), `delivery` (what was sent,
    rejected, failed and is left) and `internal_errors` by place.

    Example:
        assert ci.health()["mark_drop_count"] == 0
    """
    return _the_default().health()


def shutdown() -> None:
    """End the session: close its root span, write everything, stop the threads. A second call does nothing.

    It runs by itself when the program exits, and before SIGTERM ends it. With a server, what is left is sent
    first, for a few seconds at most. Afterwards `profile()` begins a new session.

    Example:
        ci.profile()
        work()
        ci.shutdown()
    """
    _the_default().shutdown()


def trace(format: str = "tree", name: str | None = None, last: int | None = None) -> Any:
    """The scope tree of the session so far, or of the last one when it is over.

    Args:
        format: `"tree"` prints it or shows it in a notebook; `"dict"`, `"json"` and `"df"` return it.
        name: keep spans of this name and what is below them.
        last: keep this many spans, those that closed most recently.

    Raises:
        ValueError, TypeError: an argument that is not accepted; the message says what is.
        CirronDependencyError: `"df"` without pandas.

    Example:
        ci.trace(name="epoch", last=3)
    """
    return _the_default().trace(format, name, last)
