"""The native recorder as Python sees it.

Everything here is safe to call from any thread. `scope`, `mark`, `epochs` and `batches` never raise
and cost tens of nanoseconds; the rest is for the session and the readers.
"""

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, TypedDict, TypeVar, final

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

@final
class Scope:
    """One `with` block, or a decorator that opens the same scope at each call."""

    def __enter__(self) -> Scope: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def __call__(self, function: F) -> F: ...

@final
class Loop(Generic[T]):
    """An iterable that opens one scope an item; anything else is passed on to the wrapped iterable."""

    def __iter__(self) -> Iterator[T]: ...
    def __next__(self) -> T: ...
    def __len__(self) -> int: ...
    def __getattr__(self, name: str) -> Any: ...

def scope(name: str, index: int | None = None, **attrs: Any) -> Scope: ...
def mark(name: str, value: Any, kind: str = "point", **attrs: Any) -> None: ...
def epochs(iterable: Iterable[T]) -> Loop[T]: ...
def batches(iterable: Iterable[T]) -> Loop[T]: ...

class ThreadCounters(TypedDict):
    thread_id: int
    spans_dropped: int
    marks_dropped: int

class Counters(TypedDict):
    """Cumulative since the recorder began; see docs/spool-format.md, key `counters`."""

    spans_recorded: int
    marks_recorded: int
    spans_dropped: int
    marks_dropped: int
    scopes_too_deep: int
    marks_rejected: int
    batches_sealed: int
    bytes_sealed: int
    seal_failures: int
    internal_errors: dict[str, int]
    threads: list[ThreadCounters]

@final
class Recorder:
    """One session: its journal, its threads' rings and the batches sealed from them.

    Args:
        spool_dir: folder for sealed batches; it exists.
        journal_dir: folder for the journal, `<session_id>.journal`; it exists. None for anonymous memory.
        batch_fields: JSON members (without braces) that each batch of this session carries verbatim,
            e.g. `b'"sdk_version":"0.1.0","host":"n1","rank":0'`, at most 4 KiB. Kept in the journal, so that
            a recovery writes them too.
        rank: written into every span.
        ring_marks: marks a thread's ring holds before the oldest is dropped.
        batch_max_bytes: a batch is sealed when its records exceed this.
        fsync: flush each batch to the device before it is renamed into place.

    Raises:
        OSError: the journal could be made but not named.
        RuntimeError: 16 recorders are alive already, or `batch_fields` is too long.
        ValueError: `ring_marks` is beyond what a ring can hold.
    """

    def __init__(
        self,
        *,
        spool_dir: str,
        journal_dir: str | None,
        batch_fields: bytes,
        rank: int = 0,
        ring_marks: int = 65536,
        batch_max_bytes: int = 16 * 1024 * 1024,
        fsync: bool = False,
    ) -> None: ...
    @property
    def session_id(self) -> str:
        """32 hex digits; also the id of the session's root span."""
    @property
    def journal_kind(self) -> str:
        """`file`, or `anonymous (<why>)` when no file could be mapped."""
    @property
    def journal_path(self) -> str | None: ...
    @property
    def closed(self) -> bool: ...
    def scope(self, name: str, index: int | None = None, **attrs: Any) -> Scope: ...
    def mark(self, name: str, value: Any, kind: str = "point", **attrs: Any) -> None: ...
    def epochs(self, iterable: Iterable[T]) -> Loop[T]: ...
    def batches(self, iterable: Iterable[T]) -> Loop[T]: ...
    def set_overhead(self, scope_ns: int, mark_ns: int) -> None:
        """What one scope and one mark cost, for the `cirron.overhead_ns` marks."""
    def wait(self, timeout_s: float) -> bool:
        """Block without the GIL until a ring fills up, `wake()` is called (True) or time runs out (False)."""
    def wake(self) -> None: ...
    def drain(self) -> int:
        """Seal everything closed or marked before the call; returns the batches written. Releases the GIL.

        Raises:
            OSError: a batch could not be written; its records stay in the journal for the next drain.
        """
    def take_deferred(self) -> list[tuple[int, Any]]:
        """Mark values still on a device, as (key, value); answer each with `resolve` before `drain`."""
    def resolve(self, key: int, value: Any) -> None: ...
    def take_warnings(self) -> list[str]:
        """Messages for the user that came up on the hot path since the last call."""
    def depth(self) -> int:
        """Scopes open on the calling thread or task."""
    def open_spans(self) -> bytes:
        """A JSON array of the spans open now, session included, with `end_ns: null`."""
    def counters(self) -> Counters: ...
    def close(self, ended: str) -> None:
        """Seal all records, write the session span with `cirron.ended` and remove the journal. Idempotent.

        Raises:
            OSError: the last batch could not be written; the journal stays for `recover`.
        """

def set_default(recorder: Recorder | None) -> None:
    """Choose what the module's `scope`, `mark`, `epochs` and `batches` record into; None: nothing."""

@final
class Recovered:
    """What `recover` found in a dead process's journal."""

    @property
    def session_id(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def batches(self) -> int: ...
    @property
    def spans(self) -> int:
        """The closed ones; scopes that were open and the session come on top."""
    @property
    def marks(self) -> int: ...
    @property
    def damage(self) -> str | None:
        """Why reading stopped early in a part of the journal, or None."""

def recover(journal_path: str, spool_dir: str, fsync: bool = False) -> Recovered | None:
    """Seal what a dead process left in its journal and remove it; None while its owner lives.

    Raises:
        OSError: the journal cannot be read or a batch cannot be written (the journal stays).
        ValueError: the file is not a journal this version understands (it stays).
    """
