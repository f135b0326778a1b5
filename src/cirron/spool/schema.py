"""The JSON Schema of a batch, made from the records: `python -m cirron.spool.schema [--check]`."""

import json
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from cirron.spool.records import SCHEMA_VERSION, Batch

SCHEMA_FILE = Path(__file__).with_name("batch.schema.json")


def schema() -> dict[str, Any]:
    """The schema as a dictionary: draft 2020-12, open to unknown keys."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:cirron:spool:batch:{SCHEMA_VERSION}",
    }
    of_batch: dict[str, Any] = _with_clean_descriptions(msgspec.json.schema(Batch))
    return head | of_batch


def _with_clean_descriptions(part: Any) -> Any:
    """They are docstrings, which have the indentation of their source up to Python 3.12, and none from 3.13 on."""
    if isinstance(part, list):
        return [_with_clean_descriptions(each) for each in part]
    if not isinstance(part, dict):
        return part
    cleaned = {key: _with_clean_descriptions(each) for key, each in part.items()}
    if isinstance(cleaned.get("description"), str):
        cleaned["description"] = cleandoc(cleaned["description"])
    return cleaned


def schema_text() -> str:
    """The schema as it stands in `batch.schema.json`."""
    return json.dumps(schema(), indent=2) + "\n"


def main(arguments: list[str]) -> int:
    """Write the schema file, or with `--check` only tell whether it is up to date."""
    if arguments == ["--check"]:
        return _check()
    if arguments:
        sys.stderr.write("usage: python -m cirron.spool.schema [--check]\n")
        return 2
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    sys.stdout.write(f"wrote {SCHEMA_FILE}\n")
    return 0


def _check() -> int:
    if SCHEMA_FILE.read_text(encoding="utf-8") == schema_text():
        return 0
    sys.stderr.write(f"{SCHEMA_FILE.name} differs from the records; run: python -m cirron.spool.schema\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
