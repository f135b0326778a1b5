"""Telemetry events as files: what is written is read back, and what is wrong is said with file, line and field."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormlog import EventFormatError, load_events, save_events
from support.memory_events import event, line

FILE = Path("memory.jsonl")


def complaint(*lines):
    """What is said of a file with these lines, and the field it is about."""
    FILE.write_bytes(b"".join(lines))
    with pytest.raises(EventFormatError) as raised:
        load_events(FILE)
    return str(raised.value), raised.value.line, raised.value.field


def test_what_was_saved_is_loaded():
    events = [event(), event(timestamp_ns=2, metadata={"phase_scope": {"path": ["a"]}}, world_size=8, rank=7)]
    assert save_events(events, FILE) == 2
    assert load_events(FILE) == events
    assert len(FILE.read_text().splitlines()) == 2


def test_empty_lines_and_unknown_keys_are_passed_over():
    FILE.write_bytes(b"\n" + line(later_release=1) + b"  \n")
    assert load_events(str(FILE)) == [event()]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"pid": "seven"}, "pid: Expected `int`, got `str`"),
        ({"device_used_bytes": -1}, "device_used_bytes: Expected `int` >= 0"),
        ({"session_id": ""}, "session_id: Expected `str` of length >= 1"),
        ({"session_id": ...}, "session_id: missing"),
        ({"metadata": None}, "metadata: Expected `object`, got `null`"),
        ({"rank": 2, "world_size": 2}, "rank: 2 is not below world_size 2"),
        (
            {"schema_version": 2, "pid": ...},
            "schema_version: 2, this release reads 1; read it with a newer cirron",
        ),
        ({"schema_version": 0}, "schema_version: Invalid enum value 0"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(fields, reason):
    said, number, field = complaint(line(), b"\n", line(**fields))
    assert said == f"memory.jsonl:3: {reason}"
    assert (number, field) == (3, reason.partition(":")[0])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[]", "Expected `object`, got `array`"),
        (b'{"pid": 1', "no JSON object: Input data was truncated"),
        (b"pid", "no JSON object: JSON is malformed: invalid character (byte 0)"),
        (b'{"host": "\xff"}', "not UTF-8"),
        (b'{"metadata": ' * 100_000, "nested too deeply"),
    ],
)
def test_a_line_that_is_no_event_is_named(content, reason):
    said, number, field = complaint(line(), content)
    assert (said, number, field) == (f"memory.jsonl:2: {reason}", 2, None)


def test_a_file_that_is_not_there_is_an_error_of_the_system():
    with pytest.raises(FileNotFoundError):
        load_events("nowhere.jsonl")


def test_a_file_that_could_not_be_written_whole_is_left_as_it_was():
    save_events([event()], FILE)

    def breaking():
        yield event(pid=8)
        raise KeyError("while reading them")

    with pytest.raises(KeyError):
        save_events(breaking(), FILE)
    assert load_events(FILE) == [event()]
    assert list(Path().glob("*.tmp")) == []


@given(st.binary(max_size=200))
def test_no_content_makes_anything_else_of_it(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(content)
    try:
        load_events(path)
    except EventFormatError as error:
        assert str(path) in str(error)  # noqa: PT017
