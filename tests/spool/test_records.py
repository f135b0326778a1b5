"""What a writer put into a batch is what a reader gets, whatever else stands beside it."""

import json
import math
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cirron.spool import Batch, read
from cirron.spool.records import (
    BoolMark,
    Clock,
    Counters,
    FloatMark,
    Histogram,
    IntMark,
    Snapshot,
    Span,
    Stats,
    StringMark,
)
from support.spool_checks import assert_valid_spool, broken_promises
from support.spool_files import SESSION_ID, bare_batch, batch, mark, put, session_span, snapshot, span

ids = st.text("0123456789abcdef", min_size=32, max_size=32)
instants = st.integers(0, 2**63 - 1)
counts = st.integers(0, 2**63 - 1)
integers = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | integers | finite | st.text()
attrs = st.dictionaries(st.text(), scalars, max_size=4)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


spans = st.builds(
    Span,
    id=ids,
    name=st.text(),
    parent_id=maybe(ids),
    index=maybe(integers),
    start_ns=instants,
    end_ns=maybe(instants),
    cpu_ns=maybe(counts),
    gpu_ns=maybe(counts),
    memory_peak_bytes=maybe(counts),
    thread_id=integers,
    pid=integers,
    rank=counts,
    attrs=attrs,
    mark_ids=st.lists(ids, max_size=3),
)
mark_fields = {
    "id": ids,
    "span_id": ids | st.just("root"),
    "name": st.text(),
    "attrs": attrs,
    "ts_ns": instants,
    "kind": st.sampled_from(["point", "summary"]),
}
marks = st.one_of(
    st.builds(FloatMark, value=maybe(finite), **mark_fields),
    st.builds(
        FloatMark, value=st.none(), value_nonfinite=st.sampled_from(["nan", "inf", "-inf"]), **mark_fields
    ),
    st.builds(IntMark, value=maybe(integers), **mark_fields),
    st.builds(StringMark, value=maybe(st.text()), **mark_fields),
    st.builds(BoolMark, value=maybe(st.booleans()), **mark_fields),
)
histograms = st.builds(
    Histogram,
    bins=st.lists(maybe(finite), min_size=17, max_size=17),
    counts=st.lists(counts, min_size=16, max_size=16),
)
stats = st.builds(
    Stats, histogram=maybe(histograms), **dict.fromkeys(["mean", "std", "min", "max", "norm"], maybe(finite))
)
snapshots = st.builds(
    Snapshot,
    id=ids,
    span_id=ids | st.just("root"),
    tensor_name=st.text(),
    shape=st.lists(counts, max_size=3),
    dtype=st.text(),
    mode=st.sampled_from(["stats", "sampled", "full"]),
    stats=maybe(stats),
    blob_uri=maybe(st.text()),
    ts_ns=instants,
    attrs=attrs,
)
batches = st.builds(
    Batch,
    schema_version=st.just(1),
    sdk_version=st.text(),
    batch_id=ids,
    created_ns=instants,
    spans=st.lists(spans, max_size=3),
    marks=st.lists(marks, max_size=4),
    snapshots=st.lists(snapshots, max_size=2),
    session_id=maybe(ids),
    run_id=maybe(st.text()),
    host=maybe(st.text()),
    pid=maybe(integers),
    rank=maybe(counts),
    local_rank=maybe(counts),
    world_size=maybe(counts),
    worker=maybe(st.text()),
    clock=maybe(st.builds(Clock, wall_ns=instants, monotonic_ns=instants)),
    counters=maybe(st.builds(Counters, spans_dropped=counts, marks_dropped=counts)),
    recovered=st.booleans(),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches)
def test_a_batch_reads_as_it_was_written_and_fits_the_schema(tmp_path: Path, written: Batch):
    path = put(tmp_path, msgspec.json.encode(written), f"{written.created_ns:020d}-{written.batch_id}.json")
    assert list(read(tmp_path).batches()) == [written]
    assert [fault for fault in broken_promises(tmp_path) if "schema" in fault] == []
    path.unlink()


def full_batch(number: int = 1) -> dict[str, Any]:
    """A batch with each kind of record in it."""
    marks = [
        mark(32, "loss", 0.5, span_id=f"{16:032x}"),
        mark(33, "loss", None, value_nonfinite="nan"),
        mark(34, "epoch", 3, "int"),
        mark(35, "note", "warm", "string"),
        mark(36, "done", value=True, value_type="bool"),
    ]
    child = span(16, "step", mark_ids=[f"{32:032x}"])
    counters = {"spans_dropped": 0, "marks_dropped": 4, "scopes_too_deep": 0, "marks_rejected": 1}
    records = {
        "spans": [child, session_span(mark_ids=[f"{number:032x}" for number in range(33, 37)])],
        "marks": marks,
        "snapshots": [snapshot(48, "weight")],
    }
    return batch(number, **records, counters=counters)


def test_unknown_keys_are_ignored_at_every_level(tmp_path):
    put(tmp_path, full_batch())
    plain = list(read(tmp_path).batches())
    put(tmp_path, with_unknown_keys(full_batch()))
    reader = read(tmp_path)
    assert (list(reader.batches()), reader.problems) == (plain, [])
    assert_valid_spool(tmp_path)


def with_unknown_keys(value: Any, name: str = "") -> Any:
    """The value with a key of a later release in each object, except among a user's own attributes."""
    if isinstance(value, list):
        return [with_unknown_keys(item) for item in value]
    if not isinstance(value, dict) or name == "attrs":
        return value
    known = {key: with_unknown_keys(item, key) for key, item in value.items()}
    return {"a_later_key": {"nested": [1, None]}} | known | {"z_later_key": "x"}


def test_a_batch_of_the_bare_contract_reads_with_every_addition_unset(tmp_path):
    put(tmp_path, bare_batch(1, spans=[span(16, "step")], marks=[mark(32, "loss", 0.5)]))
    assert_valid_spool(tmp_path)
    (found,) = read(tmp_path).batches()
    additions = ["session_id", "run_id", "host", "pid", "rank", "local_rank", "world_size", "worker"]
    assert [getattr(found, name) for name in [*additions, "clock", "counters"]] == [None] * 10
    assert found.recovered is False


def test_a_float_that_is_whole_may_be_written_without_a_point(tmp_path):
    put(tmp_path, batch(1, marks=[mark(32, "loss", 2)]))
    (found,) = read(tmp_path).batches()
    assert repr(found.marks[0].value) == "2.0"


def test_a_value_that_json_lacks_is_null_and_named(tmp_path):
    put(tmp_path, batch(1, marks=[mark(32, "loss", None, value_nonfinite="-inf")]))
    (found,) = read(tmp_path).batches()
    assert found.marks[0].value is None
    assert float(found.marks[0].value_nonfinite) == -math.inf


def test_a_mark_tells_its_type(tmp_path):
    put(tmp_path, full_batch())
    (found,) = read(tmp_path).batches()
    assert [mark.value_type for mark in found.marks] == ["float", "float", "int", "string", "bool"]


def test_the_root_span_is_found_by_name_and_lack_of_a_parent(tmp_path):
    put(tmp_path, batch(1, spans=[span(16, "cirron.session"), session_span()]))
    put(tmp_path, batch(2, spans=[span(17, "warm-up", parent_id=None)]))
    first, second = read(tmp_path).batches()
    assert (first.session_span.id, second.session_span) == (SESSION_ID, None)


def test_a_batch_is_smaller_without_what_is_unset(tmp_path):
    put(tmp_path, bare_batch(1))
    (found,) = read(tmp_path).batches()
    assert json.loads(msgspec.json.encode(found)) == bare_batch(1)
