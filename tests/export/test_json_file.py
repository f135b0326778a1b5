"""The format `json`, read back by Python's parser."""

import json

from cirron.export.json_file import write_json
from export.exporting import (
    DEEP,
    LAST_NS,
    SESSION_ID,
    as_bytes,
    hostile_spool,
    killed,
    third_party,
    two_ranks_and_a_worker,
)


def exported(**options):
    return json.loads(as_bytes(write_json, **options), parse_constant=_refuse)


def _refuse(word):
    raise AssertionError(f"{word} is no JSON")


def test_every_name_attribute_and_number_comes_back():
    names = hostile_spool()
    spans = exported()["spans"]
    assert [span["name"] for span in spans] == names
    for span in spans[:8]:
        assert span["attrs"] == {span["name"]: span["name"], "deep": DEEP, "negative": -5, "beyond": 2**70}
    assert (spans[8]["start_ns"], spans[8]["index"], spans[8]["thread_id"]) == (LAST_NS, -(2**63), 2**64)
    assert len(spans[9]["attrs"]["text"]) == 3_000_000


def test_marks_are_as_in_the_spool():
    hostile_spool()
    marks = {mark["name"]: mark for mark in exported()["marks"]}
    assert [marks[f"m{number}"]["value"] for number in range(7)] == [
        0.5, -7, 2**70, "a\n\"b'", True, None, "",
    ]  # fmt: skip
    assert [marks[word]["value_nonfinite"] for word in ("nan", "inf", "-inf")] == ["nan", "inf", "-inf"]
    assert marks["m3"]["value_type"] == "string"


def test_each_record_names_its_session_and_each_session_its_place():
    two_ranks_and_a_worker()
    document = exported()
    sessions = {session["session_id"]: session for session in document["sessions"]}
    assert [(sessions[each]["rank"], sessions[each]["host"]) for each in ("a0" * 16, "a1" * 16, "b0" * 16)] == [
        (0, "north"), (1, "south"), (0, "north"),
    ]  # fmt: skip
    assert {session["world_size"] for session in sessions.values()} == {2}
    assert {session["run_id"] for session in sessions.values()} == {"run-42"}
    assert {record["session_id"] for record in document["spans"] + document["marks"]} == set(sessions)


def test_one_session_can_be_had_alone():
    two_ranks_and_a_worker()
    document = exported(session="a1" * 16)
    assert {record["session_id"] for record in document["spans"] + document["sessions"]} == {"a1" * 16}


def test_snapshots_come_along():
    hostile_spool()
    first, second = exported()["snapshots"]
    assert (first["tensor_name"], first["stats"]["histogram"]["counts"]) == ('w"\n', [1] * 16)
    assert (second["shape"], second["stats"]) == ([], None)


def test_an_interrupted_span_has_no_end():
    killed()
    document = exported()
    assert [span["end_ns"] is None for span in document["spans"]] == [False, True, False, True]
    assert document["sessions"][0]["ended"] == "killed"


def test_a_writer_that_names_no_session_is_exported_too():
    third_party()
    document = exported()
    assert [(span["name"], span["session_id"]) for span in document["spans"]] == [
        ("load", SESSION_ID),
        ("cirron.session", SESSION_ID),
    ]


def test_the_same_spool_gives_the_same_document():
    two_ranks_and_a_worker()
    assert as_bytes(write_json) == as_bytes(write_json)
