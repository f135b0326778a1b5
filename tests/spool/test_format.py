"""The document, the schema that ships and the records say the same."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from cirron.spool import Batch, Mark, Snapshot, Span, read
from cirron.spool.records import Clock, Counters, Stats
from cirron.spool.schema import SCHEMA_FILE, main, schema
from cirron.spool.telemetry_event import TelemetryEvent
from support.spool_checks import assert_valid_spool
from support.spool_files import put

DOCUMENT = (Path(__file__).parents[2] / "docs" / "spool-format.md").read_text(encoding="utf-8")


def test_the_schema_that_ships_is_the_one_the_records_give():
    assert main(["--check"]) == 0


def test_the_schema_is_a_valid_schema():
    Draft202012Validator.check_schema(schema())


def test_the_schema_is_open_to_unknown_keys():
    assert "additionalProperties" not in SCHEMA_FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "record",
    [Batch, Span, Mark, Snapshot, Stats, Clock, Counters, TelemetryEvent],
    ids=lambda it: it.__name__,
)
def test_the_document_describes_each_field_of_a_record(record):
    section = DOCUMENT.split(f"\n### {record.__name__}\n")[1].split("\n#")[0]
    described = re.findall(r"^\| `(\w+)`", re.split(r"\| (?:attribute|mark) \|", section)[0], re.MULTILINE)
    fields = [field.name for field in msgspec.structs.fields(record)]
    assert sorted(described) == sorted([*fields, "value_type"] if record is Mark else fields)


def test_the_example_in_the_document_is_a_valid_spool(tmp_path):
    name, text = re.search(
        r"`(\d{20}-[0-9a-f]{32}\.json)`[^`]*```json\n(.*?)```", DOCUMENT, re.DOTALL
    ).groups()
    put(tmp_path, text.encode(), name)
    assert_valid_spool(tmp_path)
    (example,) = read(tmp_path).batches()
    assert [span.name for span in example.spans] == ["step", "cirron.session"]
    assert set(json.loads(text)) <= {field.name for field in msgspec.structs.fields(Batch)}
