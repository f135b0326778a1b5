"""The native recorder as Python sees it.

Everything here is safe to call from any thread. `scope`, `mark`, `epochs` and `batches` never raise
and cost tens of nanoseconds; the rest is for the session and the readers.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, TypeAlias, TypedDict, TypeVar, final

from cirron._recorder.values import Deferred

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Reading: TypeAlias = Callable[[], tuple[int | None, Deferred | None]]
Meter: TypeAlias = Callable[[], Reading | None]
Follower: TypeAlias = Callable[[str], Callable[[bool], tuple[tuple[str, Any], ...] | None] | None]

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
    def _cancel(self) -> bool:
        """Of a scope that is open: as if it had never been entered. False when something was recorded in it."""
    def _place(self) -> tuple[str, int] | None:
        """Of a scope that is open: its id, and the time in ns; None of any other."""
    def _rename(self, name: str) -> None:
        """Of a scope that is open: it has this name instead."""
    def _number(self, index: int | None) -> None:
        """Of a scope that is open: it has this index instead, or none."""
    def _summarize(self, name: str, value: bool | float | str) -> None:
        """Of a scope that is open: a mark that stands for the whole of it."""

@final
class Loop(Generic[T]):
    """An iterable that opens one scope an item; anything else is passed on to the wrapped iterable."""

    def __iter__(self) -> Iterator[T]: ...
    def __next__(self) -> T: ...
    def __aiter__(self) -> AsyncIterator[T]: ...
    def __anext__(self) -> Awaitable[T]: ...
    def __reversed__(self) -> Iterator[T]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, key: Any) -> Any: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def __delitem__(self, key: Any) -> None: ...
    def __contains__(self, value: object) -> bool: ...
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...

def scope(name: str, index: int | None = None, **attrs: Any) -> Scope: ...
def mark(name: str, value: Any, kind: str = "point", **attrs: Any) -> None: ...
def epochs(iterable: Iterable[T] | AsyncIterable[T]) -> Loop[T]: ...
def batches(iterable: Iterable[T] | AsyncIterable[T]) -> Loop[T]: ...
def add_memory(record: bytes) -> None:
    """See `Recorder.add_memory`."""

@final
class Inference:
    """A function whose calls are requests, each with a scope `request` for root; see `cirron.inference`.

    It is called as the function is, and has its attributes. A coroutine or a generator that a call returns, or that is
    what the function returns and nobody else has, is wrapped into another of the same type.

    Args:
        function: what is called.
        kind: 0 for a plain function, 1 for a coroutine's, 2 for a generator's, 3 for an asynchronous generator's.
        name: the attribute `function` of its requests.
        parts: three functions that make a coroutine, a generator and an asynchronous generator around a `RequestRun`;
            what makes a tally; what says of a type whether its objects are to be read (`cirron.serving.interest`); and
            what knows the trace of OpenTelemetry.
        find: says where to record, at each call; None for the default recorder.
        id_position: the index of the positional parameter `request_id`, or -1.
        sample_rate: the share of requests to keep.
        slow_ns: requests that last as long are kept in any case; negative for none.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        kind: int,
        name: str,
        parts: tuple[Any, ...],
        find: Callable[[], Recorder | None] | None = None,
        id_position: int = -1,
        sample_rate: float = 1.0,
        slow_ns: float = -1.0,
    ) -> None: ...
    def __call__(self, *args: Any, **keywords: Any) -> Any: ...

class Request:
    """A request that is under way, or over."""

    def tally(self) -> Any:
        """Its account, which is made if need be; None when it is over."""
    def elapsed_ns(self) -> int:
        """How long it has lasted; 0 when it is over."""

def current_request() -> Request | None:
    """The innermost request of the calling thread or task in the default session."""

def innermost(names: tuple[str, ...]) -> str | None:
    """Of these names, the one that the innermost open scope of this thread or task has that has one of them.

    Raises:
        TypeError: it is no tuple of str.
    """

def scope_unless(
    name: str, unless: tuple[str, ...], names: tuple[str, ...], index: int | None = None, /
) -> Scope | None:
    """A scope, or None where `innermost(names)` is one of `unless`, and where nothing is recorded.

    It ends with the scope around it at the latest, as if it had never been if nothing was recorded in it; what is done
    with it after that has no effect. One with the name `epoch` opens beside other epochs, like those of `epochs`.

    Raises:
        TypeError: `unless` or `names` is no tuple of str.
    """

class ThreadCounters(TypedDict):
    """What the ring of a thread that lives has dropped; what got into no ring is in the totals only."""

    thread_id: int
    spans_dropped: int
    marks_dropped: int

class Counters(TypedDict):
    """Cumulative since the recorder began; see docs/spool-format.md, key `counters`."""

    spans_recorded: int
    marks_recorded: int
    spans_dropped: int
    marks_dropped: int
    memory_recorded: int
    memory_dropped: int
    scopes_too_deep: int
    marks_rejected: int
    batches_sealed: int
    bytes_sealed: int
    seal_failures: int
    batches_forgotten: int
    snapshots_dropped: int
    requests_left_out: int
    internal_errors: dict[str, int]
    threads: list[ThreadCounters]

@final
class Recorder:
    """One session: its journal, its threads' rings and the batches sealed from them.

    Args:
        spool_dir: folder for sealed batches; it is made again should it vanish. Empty: batches are not written,
            and what is drained is gone unless they are kept.
        journal_dir: folder for the journal, `<session_id>.journal`; it exists. None for anonymous memory.
        batch_fields: JSON members (without braces) that each batch of this session carries verbatim,
            e.g. `b'"sdk_version":"0.1.0","host":"n1","rank":0'`, at most 4 KiB. Kept in the journal, so that
            a recovery writes them too.
        rank: written into every span.
        ring_marks: marks a thread's ring holds before the oldest is dropped.
        batch_max_bytes: a batch is sealed when its records exceed this.
        fsync: flush each batch to the device before it is renamed into place.
        keep_batches: hold sealed batches in memory for `take_batches`, the newest 64 MiB.

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
        keep_batches: bool = False,
    ) -> None: ...
    @property
    def session_id(self) -> str:
        """32 hex digits; also the id of the session's root span."""
    @property
    def journal_kind(self) -> str:
        """`file`; `anonymous (<why>)` when none could be mapped, `partly anonymous (<why>)` when it could not grow."""
    @property
    def journal_path(self) -> str | None: ...
    @property
    def journal_intact(self) -> bool:
        """Whether the journal is where a recovery would look for it; True as well when there is no file."""
    @property
    def closed(self) -> bool: ...
    def scope(self, name: str, index: int | None = None, **attrs: Any) -> Scope: ...
    def mark(self, name: str, value: Any, kind: str = "point", **attrs: Any) -> None: ...
    def mark_at(self, span_id: str, name: str, value: bool | float | str, is_summary: bool) -> None:
        """A mark on a scope of this session that need not be the innermost one, nor open any more.

        Raises:
            ValueError: the id is of another session.
        """
    def epochs(self, iterable: Iterable[T] | AsyncIterable[T]) -> Loop[T]: ...
    def batches(self, iterable: Iterable[T] | AsyncIterable[T]) -> Loop[T]: ...
    def innermost(self, names: tuple[str, ...]) -> str | None: ...
    def scope_unless(
        self, name: str, unless: tuple[str, ...], names: tuple[str, ...], index: int | None = None, /
    ) -> Scope | None: ...
    def set_overhead(self, scope_ns: int, mark_ns: int) -> None:
        """What one scope and one mark cost, for the `cirron.overhead_ns` marks."""
    def wait(self, timeout_s: float) -> bool:
        """Block without the GIL until a ring fills up, `wake()` is called (True) or time runs out (False)."""
    def wake(self) -> None: ...
    def drain(self, timeout_s: float | None = None) -> int:
        """Seal everything closed or marked before the call; returns the batches sealed. Releases the GIL.

        Args:
            timeout_s: how long to wait for another thread's drain; None for as long as it takes.

        Raises:
            TimeoutError: another thread's drain lasts longer.
            OSError: a batch could not be written; its records stay in the journal for the next drain.
        """
    def take_batches(self) -> list[bytes]:
        """With `keep_batches`, the JSON of each batch sealed since the last call, also after `close`."""
    def take_deferred(self) -> list[tuple[int, Any]]:
        """What is still on a device, values of marks and times of scopes, as (key, value).

        Answer each with `resolve` before `drain`.
        """
    def resolve(self, key: int, value: Any) -> None: ...
    def take_warnings(self) -> list[str]:
        """Messages for the user that came up on the hot path since the last call."""
    def depth(self) -> int:
        """Scopes open on the calling thread or task."""
    def here(self) -> tuple[str, int] | None:
        """The id of the innermost scope of the calling thread or task, else the session's, and the time in ns.

        None when the session is over.
        """
    def add_snapshots(self, records: Sequence[bytes]) -> None:
        """Write records of snapshots into the next batch, and have that written soon.

        Until then they are in memory only, so a kill loses them. When batches cannot be written, the oldest go
        beyond 16 MiB, and are counted.

        Args:
            records: JSON objects, whole and valid: they are written as they are.
        """
    def add_memory(self, record: bytes) -> None:
        """Record a telemetry event, which from here on is safe from a kill.

        One of more than 32 KiB is not recorded, and counted. When the session is over nothing happens.

        Args:
            record: a JSON object, whole and valid: it is written as it is.
        """
    def set_epoch_end(self, function: Callable[[str, int], object] | None) -> None:
        """Have a function called each time an epoch of `epochs` is about to close without an exception.

        It is called with what `here` would say in the epoch, in the thread of the loop, and the time it takes counts
        as the epoch's overhead. What it raises is passed on. The end of the session forgets it.
        """
    def add_overhead(self, ns: int) -> None:
        """Time that was spent on recording in the innermost scope of the calling thread or task."""
    def set_meter(self, meter: Meter | None) -> None:
        """Have the scopes of training (`step`, `batch`, `forward`, `backward`, `optimizer_step`) measured on a device.

        The meter is called when `scope` or `scope_unless` opens one, and gives None or what is called when it closes,
        for the memory in bytes that the scope needed at most, and the `Deferred` nanoseconds that the device worked
        for it, each None where it is not known. The calls count as the scope's overhead. Their `Exception` is dropped
        and counted. Without a meter these scopes get the most memory that the process has had resident until then. The
        end of the session forgets it.
        """
    def open_spans(self) -> bytes:
        """A JSON array of the spans open now, session included, with `end_ns: null`."""
    def counters(self) -> Counters: ...
    def count_spool_drops(self, batches: int, spans: int, marks: int, memory: int = 0) -> None:
        """Add to what every later batch of this session says was removed from the spool, a recovery's too."""
    def set_ending(self, ended: str) -> None:
        """Say what a recovery is to write as `cirron.ended` should the process be killed from now on.

        Without it, or after an empty text, that is `killed`. `close` has its own word; after it this does nothing.

        Args:
            ended: such as `signal: SIGTERM`; at most 256 bytes are kept.
        """
    def close(self, ended: str, timeout_s: float | None = None) -> None:
        """Seal all records, write the session span with `cirron.ended` and remove the journal. Idempotent.

        Nothing is recorded from here on, even when it raises. A second call returns when the first has.

        Args:
            ended: how the session ended; at most 256 bytes are kept.
            timeout_s: how long to wait for another thread's drain or close; None for as long as it takes.

        Raises:
            TimeoutError: another thread's drain or close lasts longer; the journal stays for `recover`.
            OSError: the last batch could not be written; the journal stays for `recover`, and what it does not hold
                counts as dropped.
        """

def set_default(recorder: Recorder | None) -> None:
    """Choose what the module's `scope`, `mark`, `epochs` and `batches` record into; None: nothing.

    Disarms the starter.
    """

def set_follower(follower: Follower | None) -> None:
    """Have a function called whenever a scope is opened, of a loop and of any recorder too, with its name.

    It gives None, or what is called when the scope closes, with whether it is as if it had never been open: for None,
    or for names and values of marks that stand for the whole scope. The calls count as the scope's overhead. Their
    `Exception` is dropped and counted. None for nobody.
    """

def set_starter(starter: Callable[[], None] | None) -> None:
    """Keep what begins a session on first use, which `arm_starter` or a fork arms.

    The child of a fork finds it armed if a default recorder was recording at that moment.
    """

def arm_starter() -> None:
    """Have the starter called, once, by the next operation that finds no default recorder to record into.

    Such an operation is a mark, or entering a scope or a loop's item; it then goes on with what is the default
    recorder by that time. An `Exception` of the starter is dropped, so it handles its own.
    """

def call_in_main_thread(function: Callable[[], object]) -> bool:
    """Have the main thread call the function between two of its instructions; False when its queue is full.

    What the function raises goes to `sys.unraisablehook`.
    """

@final
class Passage:
    """Calls `before`, then `target` with its own arguments, and returns or raises what that does.

    It has no frame: the traceback of an exception that comes through shows nothing of it.

    Args:
        before: raises nothing.
        target: what the call is meant for.
        leaving: is called when `target` raises SystemExit, before that goes on.
    """

    def __init__(
        self, before: Callable[[], object], target: Callable[..., Any], leaving: Callable[[], object]
    ) -> None: ...
    def __call__(self, *args: Any, **keywords: Any) -> Any: ...

@final
class Recorded:
    """Calls a function in a scope, but where the function `scope_unless` would give none.

    It has no frame: the traceback of an exception that comes through shows nothing of it. Pickled, it is None: a
    function that holds one may be taken elsewhere, where nobody records. With the `__qualname__` of a function whose
    place it takes, it is that one.

    Args:
        function: gets the arguments of the call. A class stands for the `__call__` that comes after its own in the
            first argument's order of classes, whatever that is at the time of the call.
        find_recorder: gives the recorder, or None where nothing records; None for the default recorder.
        name: of the scope.
        unless: see `scope_unless`.
        names: see there too.
        task: where it returns a number that is not negative, there is no scope.
        is_special: asked where there is one; where it says yes, what `special` makes of the name takes its place.
        special: see there.
    """

    before: Callable[[Any], object] | None
    """Called with the first argument, or None, before each call, unless it is None."""

    def __init__(
        self,
        function: Callable[..., Any],
        find_recorder: Callable[[], Recorder | None] | None,
        name: str,
        unless: tuple[str, ...],
        names: tuple[str, ...],
        task: Callable[[], int] | None = None,
        is_special: Callable[[], object] | None = None,
        special: Callable[[str], Any] | None = None,
    ) -> None: ...
    def __call__(self, *args: Any, **keywords: Any) -> Any: ...

@final
class WhileFinite:
    """Calls a function as long as its first argument, a tensor, is one finite number.

    Args:
        function: gets the arguments of the call.
        otherwise: gets those of the first call whose tensor is not finite; all after it go to `function` again.
        is_finite: asked of a tensor, or whatever it is, that cannot be read here. What is no single number in the
            host's memory counts as finite.
        kind: the class of the tensors that can be read here; not of those of a subclass.
        exchange: the functions of this class that read them, as DLPack has them, from version 1.2 on; else None.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        otherwise: Callable[..., Any],
        is_finite: Callable[[Any], bool],
        kind: type[Any],
        exchange: object,
    ) -> None: ...
    def __call__(self, *args: Any, **keywords: Any) -> Any: ...

@final
class GarbageCallback:
    """One of `gc.callbacks` that marks, as `gc_pause_ms` in the innermost open scope, each collection that lasts.

    It runs no Python code, so that no signal is handled in it, where what the handler raises would be dropped.

    Args:
        recorder: where to record; None for the default recorder.
        least_ns: of a collection that gets a mark.
    """

    def __init__(self, recorder: Recorder | None, least_ns: int) -> None: ...
    def __call__(self, phase: str, info: dict[str, Any], /) -> None: ...

class Steps:
    """A loop over batches, step by step: each ends when the next begins, and that begins with the wait for its batch.

    Args:
        find_recorder: gives the recorder, or None where nothing records; None for the default recorder.
        step: the name of a step's scope.
        no_step_in: where the innermost scope that has one of `names` has one of these, there is none.
        load: the name of the scope in which a batch is waited for; that for the first has the attribute `first`.
        no_load_in: the same as `no_step_in`, for that scope.
        names: see there.

    Attributes:
        step: the scope of all steps, entered again for each.
        load: the scope in which batches are waited for; it stays open where that has failed.
        count: how many batches have been asked for.
        attend_at: when so many have been asked for, `attend` is called.
        is_ready: whether the next batch has a step without question; else `get_ready` is asked before each.
    """

    attend_at: int
    is_ready: bool
    @property
    def step(self) -> Scope: ...
    @property
    def load(self) -> Scope: ...
    @property
    def count(self) -> int: ...
    def __init__(
        self,
        find_recorder: Callable[[], Recorder | None] | None,
        step: str,
        no_step_in: tuple[str, ...],
        load: str,
        no_load_in: tuple[str, ...],
        names: tuple[str, ...],
    ) -> None: ...
    def next(self, index: int) -> None:
        """End the step before, and begin the one with this index; its batch is waited for elsewhere."""
    def fetch(self, function: Callable[[Any], T], argument: Any) -> T:
        """End the step before, begin the next, and call the function in the wait for its batch.

        Without a step, where the loop is not ready for one.
        """
    def get_ready(self) -> bool:
        """For a subclass that has something to do before the first step, or no steps any more."""
    def has_none(self, error: BaseException) -> None:
        """For a subclass to end what is open when an exception, such as the end of the data, comes for a batch."""
    def attend(self) -> None:
        """For a subclass that has something to do when that step begins, in the wait for its batch."""
    def end(self, error: type[BaseException] | None) -> None:
        """For a subclass to say what its end means; it is also called when it dies, with the exception on its way."""

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

def peek(journal_path: str) -> bytes:
    """What `Recorder.open_spans` would say in the process that writes the journal, asked from any other.

    It takes no lock and writes nothing, so the session records on undisturbed, and one that was killed stays as it is
    for `recover`. All the spans given were open at one and the same instant. A scope that opened or closed within the
    microseconds that the reading takes may be missing, and a scope's parent may have closed before it. Nothing is open
    once the session's last batch is in the spool.

    Args:
        journal_path: the file, `<session_id>.journal`.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not a journal this version understands.

    Example:
        >>> json.loads(peek(".cirron/journal/5b1f0e9c4f6e1a9d0000000000000001.journal"))[0]["name"]
        'epoch'
    """

Statistics: TypeAlias = tuple[
    int,
    int,
    float | None,
    float | None,
    float | None,
    float | None,
    float | None,
    list[float] | None,
    list[int] | None,
]

def array_stats(address: int, dtype: str, shape: tuple[int, ...], strides: tuple[int, ...]) -> Statistics:
    """What the elements of an array in host memory come to; it is read in place, without the GIL.

    Sums are kept in float64, however many elements there are and however far they are from zero. Complex numbers
    count by their magnitude. The array must stay where it is; whatever else may be done to it meanwhile.

    Args:
        address: of the first element.
        dtype: `bool`, `int8` to `int64`, `uint8` to `uint64`, `float16`, `bfloat16`, `float32`, `float64`,
            `complex64` or `complex128`.
        shape: the sizes of its dimensions; none for one element.
        strides: from element to element in each dimension, in elements; zero and negative ones as well.

    Returns:
        How many elements are finite and how many are not; then of the finite ones mean, standard deviation (of
        the population), least, greatest, Euclidean norm, 17 edges and 16 counts of a histogram between the least and
        the greatest. A bucket holds its lower edge, the last one its upper edge as well; elements that are all equal
        lie in the middle of buckets around them. None stands for what there is nothing to compute of, and for a
        number beyond the range of float64.

    Raises:
        ValueError: another dtype, or shape and strides that do not fit together.

    Example:
        >>> array_stats(array.ctypes.data, "float32", (3,), (1,))[:5]  # of [1, 2, nan]
        (2, 1, 1.5, 0.5, 1.0)
    """
