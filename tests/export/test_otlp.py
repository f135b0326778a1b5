"""The format `otel`, read back by OpenTelemetry's own messages, as a collector reads it."""

import base64
import json
import math

import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from cirron.export import otlp
from cirron.export.otlp import write_otlp
from cirron.export.otlp_values import span_id, trace_id
from export.exporting import (
    DEEP,
    LAST_NS,
    SPOOL,
    as_bytes,
    hostile_spool,
    killed,
    third_party,
    two_ranks_and_a_worker,
)
from support.recording import EPOCH_NS, MS, Recording

IDS = ("traceId", "spanId", "parentSpanId")


def requests(**options):
    return [parsed(line) for line in as_bytes(write_otlp, **options).splitlines()]


def parsed(line):
    """A line as a message. OTLP writes ids as hex digits, where protobuf's JSON has base64."""
    document = json.loads(line)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                span |= {key: base64.b64encode(bytes.fromhex(span[key])).decode() for key in IDS}
    return json_format.ParseDict(document, ExportTraceServiceRequest())


def spans_of(requests):
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def exported(**options):
    return {span.name: span for span in spans_of(requests(**options))}


def values(attributes):
    return {each.key: value(each.value) for each in attributes}


def value(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "kvlist_value":
        return values(any_value.kvlist_value.values)
    if kind == "array_value":
        return [value(each) for each in any_value.array_value.values]
    return getattr(any_value, kind) if kind else None


def events(span):
    """The marks among a span's events."""
    told = [(event.name, values(event.attributes)) for event in span.events]
    return [(name, each["cirron.value"]) for name, each in told if "cirron.value" in each]


def test_every_name_attribute_and_number_comes_back():
    names = hostile_spool()
    spans = [span for span in spans_of(requests()) if span.name != "cirron.marks"]
    assert [span.name for span in spans] == names
    for span in spans[:8]:
        told = values(span.attributes)
        assert (told[span.name], told["deep"], told["negative"]) == (span.name, DEEP, -5)
        assert told["beyond"] == str(2**70)  # as text, for OTLP's integers have 64 bits
    last = spans[8]
    assert (last.start_time_unix_nano, last.end_time_unix_nano) == (LAST_NS, LAST_NS)
    assert (values(last.attributes)["cirron.index"], last.kind) == (-(2**63), Span.SPAN_KIND_INTERNAL)


def test_marks_are_events_of_their_span():
    hostile_spool()
    told = dict(events(exported()["cirron.session"]))
    assert [told[f"m{number}"] for number in range(7)] == [0.5, -7, str(2**70), "a\n\"b'", True, None, ""]
    assert (told["inf"], told["-inf"]) == (math.inf, -math.inf)
    assert math.isnan(told["nan"])


def test_ids_are_valid_and_lead_to_the_parent():
    two_ranks_and_a_worker()
    spans = spans_of(requests())
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans) == 9
    assert {(len(span.trace_id), len(span.span_id)) for span in spans} == {(16, 8)}
    assert not any(identity == bytes(8) for identity in by_id)
    parents = [(span.name, span.parent_span_id and by_id[span.parent_span_id].name) for span in spans]
    assert parents == [
        ("step", "cirron.session"), ("forward", "step"), ("cirron.session", b""),
        ("step", "cirron.session"), ("forward", "step"), ("cirron.session", b""),
        ("step", "cirron.session"), ("forward", "step"), ("cirron.session", "cirron.session"),
    ]  # fmt: skip


def test_a_run_is_one_trace():
    two_ranks_and_a_worker()
    assert {span.trace_id.hex() for span in spans_of(requests())} == {trace_id("run run-42")}


def test_a_session_without_a_run_is_a_trace_of_its_own_id():
    killed()
    assert {span.trace_id.hex() for span in spans_of(requests())} == {"5e" * 16}


def test_resources_say_which_process_it_was():
    two_ranks_and_a_worker()
    resources = [
        values(each.resource.attributes) for request in requests() for each in request.resource_spans
    ]
    keys = ("service.name", "host.name", "process.pid", "cirron.session_id", "cirron.rank", "cirron.worker")
    assert [tuple(resource.get(key) for key in keys) for resource in resources] == [
        ("cirron", "north", 7, "a0" * 16, 0, None),
        ("cirron", "south", 7, "a1" * 16, 1, None),
        ("cirron", "north", 8, "b0" * 16, 0, "0"),
    ]


def test_an_error_is_a_status_and_an_exception_event():
    recording = Recording()
    recording.span("step", 1, 2, attrs={"error": "ValueError"})
    recording.session(0, 3)
    recording.write(SPOOL)
    spans = exported()
    status, (event,) = spans["step"].status, spans["step"].events
    assert (status.code, status.message) == (Status.STATUS_CODE_ERROR, "ValueError")
    assert (event.name, values(event.attributes)) == ("exception", {"exception.type": "ValueError"})
    assert spans["cirron.session"].status.code == Status.STATUS_CODE_UNSET


def test_an_interrupted_span_ends_where_it_was_last_known_to_be():
    killed()
    spans = [span for span in spans_of(requests()) if span.name == "epoch"]
    assert [(span.end_time_unix_nano - EPOCH_NS) // MS for span in spans] == [4, 7]
    assert values(spans[1].attributes)["cirron.interrupted"] is True


def test_a_mark_waits_for_its_span_in_a_later_batch():
    recording = Recording()
    step = next(recording.ids)
    recording.mark(step, "loss", 0.5, at=1)
    recording.write(SPOOL, 1)
    recording.marks.clear()
    recording.span("step", 0, 2, id=step)
    recording.session(0, 3)
    recording.write(SPOOL, 2)
    assert events(exported()["step"]) == [("loss", 0.5)]


def test_a_mark_that_comes_after_its_span_stands_in_a_child():
    recording = Recording()
    step = recording.span("step", 0, 2)
    recording.write(SPOOL, 1)
    recording.spans.clear()
    recording.mark(step, "late", 1, at=2)
    recording.mark(step, "late", 2, at=3)
    recording.session(0, 4)
    recording.write(SPOOL, 2)
    spans = exported()
    child = spans["cirron.marks"]
    assert child.parent_span_id == spans["step"].span_id
    assert events(child) == [("late", 1), ("late", 2)]
    assert (child.end_time_unix_nano - child.start_time_unix_nano) == MS


def test_very_many_marks_of_one_span_are_spread_over_children():
    recording = Recording()
    for number in range(2 * otlp.EVENTS_PER_SPAN + 1):
        recording.mark(recording.session_id, "loss", number, at=number)
    recording.session(0, 4000)
    recording.write(SPOOL)
    spans = spans_of(requests())
    assert [(span.name, len(span.events)) for span in spans] == [
        ("cirron.marks", 1000), ("cirron.marks", 1000), ("cirron.session", 1),
    ]  # fmt: skip
    assert len({span.span_id for span in spans}) == 3


def test_marks_that_wait_are_bounded(monkeypatch):
    monkeypatch.setattr(otlp, "HELD_MAX", 3)
    recording = Recording()
    for number in range(6):
        recording.mark(f"{number:032x}", "lost", number, at=number)
    recording.write(SPOOL)
    assert sorted(events(span) for span in spans_of(requests())) == [
        [("lost", number)] for number in range(6)
    ]


def test_the_cost_of_recording_is_an_attribute():
    recording = Recording()
    step = recording.span("step", 0, 2)
    recording.mark(step, "cirron.overhead_ns", 600, kind="summary")
    recording.session(0, 3)
    recording.write(SPOOL)
    span = exported()["step"]
    assert (values(span.attributes)["cirron.overhead_ns"], list(span.events)) == (600, [])


def test_snapshots_are_events():
    hostile_spool()
    told = [
        values(event.attributes)
        for event in exported()["cirron.session"].events
        if event.name == "cirron.snapshot"
    ]
    assert [(each["cirron.tensor_name"], each["cirron.shape"]) for each in told] == [
        ('w"\n', [4, 4]),
        ("scalar", []),
    ]
    assert told[0]["cirron.stats"]["histogram"]["counts"] == [1] * 16


def test_lines_stay_short_enough_for_a_collector():
    recording = Recording()
    for number in range(500):
        recording.span("step", number, number + 1, attrs={"text": "x" * 5000})
    recording.session(0, 500)
    recording.write(SPOOL)
    lines = as_bytes(write_otlp).splitlines()
    assert max(map(len, lines)) < 2**20
    assert len(spans_of(map(parsed, lines))) == 501


def test_attributes_nested_beyond_what_parsers_take_are_text():
    deep = {}
    for _ in range(200):
        deep = {"a": deep}
    recording = Recording()
    recording.span("step", 0, 1, attrs={"deep": deep})
    recording.session(0, 2)
    recording.write(SPOOL)
    assert '{"a":{"a":' in json.dumps(values(exported()["step"].attributes)).replace("\\", "").replace(
        " ", ""
    )


def test_a_writer_that_names_no_session_is_exported_too():
    third_party()
    assert sorted(exported()) == ["cirron.session", "load"]


def test_a_server_takes_each_line_as_a_request(httpserver):
    httpserver.expect_request("/v1/traces", method="POST").respond_with_json({})
    two_ranks_and_a_worker()
    for line in as_bytes(write_otlp).splitlines():
        answer = httpx.post(
            httpserver.url_for("/v1/traces"), content=line, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 200
    assert sum(len(spans_of([parsed(request.data)])) for request, _ in httpserver.log) == 9


@pytest.mark.parametrize("identity", ["0" * 32, "5e" * 16, "f" * 32, "z" * 32, "pid-7", "", "é" * 32])
def test_any_id_becomes_a_valid_one(identity):
    assert len(bytes.fromhex(span_id(identity))) == 8
    assert len(bytes.fromhex(trace_id(identity))) == 16
    assert int(span_id(identity), 16) * int(trace_id(identity), 16) != 0


def test_ids_that_count_up_stay_apart():
    ids = {
        span_id(f"{head:016x}{count:016x}") for head in (1, 2, 2**63, 2**64 - 1) for count in range(20_000)
    }
    assert len(ids) == 80_000
