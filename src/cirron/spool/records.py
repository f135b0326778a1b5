"""What a batch file holds: the one place that owns the names and types of its fields.

The meaning of each field is in `docs/spool-format.md`. Keys that are not named here are ignored, so a
batch written by a later release still reads. Fields with a default are additions to the format; a batch
without them is complete.

    Batch
     ├─ Clock, Counters
     ├─ Span
     ├─ Mark ── FloatMark | IntMark | StringMark | BoolMark     (told apart by the key `value_type`)
     ├─ Snapshot ── Stats ── Histogram
     └─ TelemetryEvent                                           (in telemetry_event.py)

    LeanBatch, TimesBatch ── LeanSpan, LeanMark     the same files, with fewer fields for readers in a hurry
    MemoryBatch ── TelemetryEvent
"""

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from cirron.spool.telemetry_event import TelemetryEvent

SCHEMA_VERSION = 1

SESSION_NAME = "cirron.session"
REQUEST_NAME = "request"
OVERHEAD_MARK = "cirron.overhead_ns"
NO_SESSION_ID = "root"  # span_id of a mark made outside of any scope and any session
MEMORY = "memory."  # what the names of marks begin with that tell what a phase did to the memory
ATTR_DATA_LOAD = "data_load_ns"
ATTR_ENDED = "cirron.ended"
ATTR_FUNCTION = "function"  # of a request
ATTR_INTERRUPTED = "cirron.interrupted"
ATTR_UNRESOLVED = "cirron.unresolved"

# The reader checks lengths only: a regular expression for each id would double the time to read a file.
# The JSON Schema, which nothing is in a hurry to evaluate, asks for the digits too.
Id = Annotated[str, Meta(min_length=32, max_length=32, extra_json_schema={"pattern": "^[0-9a-f]{32}$"})]
SpanRef = Annotated[
    str, Meta(min_length=4, max_length=32, extra_json_schema={"pattern": "^([0-9a-f]{32}|root)$"})
]
Nanoseconds = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Attrs = dict[str, Any]
Bins = Annotated[list[float | None], Meta(extra_json_schema={"minItems": 17, "maxItems": 17})]
BinCounts = Annotated[list[Count], Meta(extra_json_schema={"minItems": 16, "maxItems": 16})]


# gc=False: what is decoded from JSON holds no cycles, and the collector would walk every record.
class _Record(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What all records share: immutable, built by keyword, additions left out of JSON while unset."""


class Clock(_Record, frozen=True, kw_only=True, gc=False):
    """The anchor that turned monotonic readings into wall-clock times."""

    wall_ns: Nanoseconds
    monotonic_ns: Nanoseconds


class Counters(_Record, frozen=True, kw_only=True, gc=False):
    """What the session had lost when the batch was sealed, since its start."""

    spans_dropped: Count = 0
    marks_dropped: Count = 0
    scopes_too_deep: Count = 0
    marks_rejected: Count = 0
    spool_batches_dropped: Count = 0
    spool_spans_dropped: Count = 0
    spool_marks_dropped: Count = 0
    memory_dropped: Count = 0
    spool_memory_dropped: Count = 0

    @property
    def all_spans_dropped(self) -> int:
        """Spans that were recorded and are in no batch, for whatever reason."""
        return self.spans_dropped + self.scopes_too_deep + self.spool_spans_dropped

    @property
    def all_marks_dropped(self) -> int:
        """Marks likewise."""
        return self.marks_dropped + self.spool_marks_dropped

    @property
    def all_memory_dropped(self) -> int:
        """Telemetry events likewise."""
        return self.memory_dropped + self.spool_memory_dropped


class Span(_Record, frozen=True, kw_only=True, gc=False):
    """One scope, from enter to exit."""

    id: Id
    name: str
    parent_id: Id | None
    index: int | None
    start_ns: Nanoseconds
    end_ns: Nanoseconds | None
    cpu_ns: Count | None
    gpu_ns: Count | None
    memory_peak_bytes: Count | None
    thread_id: int
    pid: int
    rank: Count
    attrs: Attrs
    mark_ids: list[Id]


class Mark(_Record, frozen=True, kw_only=True, gc=False, tag_field="value_type"):
    """A named value at an instant; always one of the four classes below."""

    id: Id
    span_id: SpanRef
    name: str
    value: float | int | str | bool | None
    attrs: Attrs
    ts_ns: Nanoseconds
    kind: Literal["point", "summary"]
    value_nonfinite: Literal["nan", "inf", "-inf"] | None = None

    @property
    def value_type(self) -> str:
        """`float`, `int`, `string` or `bool`."""
        return str(self.__struct_config__.tag)


class FloatMark(Mark, frozen=True, kw_only=True, gc=False, tag="float"):
    """A mark whose value is a float64, or null where JSON or the user had none."""

    value: float | None


class IntMark(Mark, frozen=True, kw_only=True, gc=False, tag="int"):
    """A mark whose value is an integer."""

    value: int | None


class StringMark(Mark, frozen=True, kw_only=True, gc=False, tag="string"):
    """A mark whose value is a string."""

    value: str | None


class BoolMark(Mark, frozen=True, kw_only=True, gc=False, tag="bool"):
    """A mark whose value is true or false."""

    value: bool | None


class Histogram(_Record, frozen=True, kw_only=True, gc=False):
    """Sixteen buckets: 17 edges, 16 counts."""

    bins: Bins
    counts: BinCounts


class Stats(_Record, frozen=True, kw_only=True, gc=False):
    """Summary of a tensor; a statistic that is not finite is null."""

    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    norm: float | None
    histogram: Histogram | None = None


class Snapshot(_Record, frozen=True, kw_only=True, gc=False):
    """What one tensor looked like at an instant."""

    id: Id
    span_id: SpanRef
    tensor_name: str
    shape: list[Count]
    dtype: str
    mode: Literal["stats", "sampled", "full"]
    stats: Stats | None
    blob_uri: str | None
    ts_ns: Nanoseconds
    attrs: Attrs


class Batch(_Record, frozen=True, kw_only=True, gc=False):
    """One file of the spool: what a session recorded in one flush interval."""

    schema_version: Literal[1]
    sdk_version: str
    batch_id: Id
    created_ns: Nanoseconds
    spans: list[Span]
    marks: list[FloatMark | IntMark | StringMark | BoolMark]
    snapshots: list[Snapshot]
    session_id: Id | None = None
    run_id: str | None = None
    host: str | None = None
    pid: int | None = None
    rank: Count | None = None
    local_rank: Count | None = None
    world_size: Count | None = None
    worker: str | None = None
    parent_session_id: Id | None = None
    clock: Clock | None = None
    counters: Counters | None = None
    recovered: bool = False
    memory: list[TelemetryEvent] = []

    @property
    def session_span(self) -> Span | None:
        """The root span of the session; None until the session has ended."""
        return next((span for span in reversed(self.spans) if is_session_span(span)), None)


def is_session_span(span: Span) -> bool:
    """Whether the span is the root of a session."""
    return span.parent_id is None and span.name == SESSION_NAME


class LeanSpan(Struct, frozen=True, gc=False):
    """A span without what only some readers ask for; what is skipped need not be decoded."""

    id: str
    name: str
    parent_id: str | None
    index: int | None
    start_ns: Nanoseconds
    end_ns: Nanoseconds | None
    gpu_ns: Count | None
    memory_peak_bytes: Count | None
    attrs: Attrs


class LeanMark(Struct, frozen=True, gc=False):
    """A mark likewise; whether its value fits its `value_type` is not looked at."""

    span_id: str
    name: str
    value: float | int | str | bool | None
    ts_ns: Nanoseconds
    value_nonfinite: Literal["nan", "inf", "-inf"] | None = None


class TimesBatch(Struct, frozen=True, gc=False):
    """A batch with only what the times of its spans are told from."""

    schema_version: Literal[1]
    batch_id: Id
    created_ns: Nanoseconds
    spans: list[LeanSpan]
    session_id: Id | None = None
    counters: Counters | None = None
    recovered: bool = False
    marks: ClassVar[tuple[LeanMark, ...]] = ()  # not decoded


class LeanBatch(Struct, frozen=True, gc=False):
    """A batch likewise, with its marks."""

    schema_version: Literal[1]
    batch_id: Id
    created_ns: Nanoseconds
    spans: list[LeanSpan]
    marks: list[LeanMark]
    session_id: Id | None = None
    counters: Counters | None = None
    recovered: bool = False


class MemoryBatch(Struct, frozen=True):
    """A batch with only its telemetry events."""

    schema_version: Literal[1]
    batch_id: Id
    created_ns: Nanoseconds
    session_id: Id | None = None
    counters: Counters | None = None
    recovered: bool = False
    memory: list[TelemetryEvent] = []
    spans: ClassVar[tuple[LeanSpan, ...]] = ()
    marks: ClassVar[tuple[LeanMark, ...]] = ()


AnySpan = Span | LeanSpan
AnyMark = Mark | LeanMark
AnyBatch = Batch | LeanBatch | TimesBatch | MemoryBatch
