"""Damaged and hostile spools: `python tests/corpus/make_corpus.py DIR` writes one folder for each case.

The tests make them afresh. As files they are of use to whoever writes a reader of their own: each folder
holds a `problems.txt` with what ours reports. Batch 2 is always in order and must be read.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # for when this is run as a script

from support.spool_files import batch, mark, put, session_span, snapshot, span

ONE = f"{1:020d}-{1:032x}.json"
TWO = f"{2:020d}-{2:032x}.json"
THREE = f"{3:020d}-{3:032x}.json"


@dataclass(frozen=True)
class Case:
    """A damaged spool.

    Attributes:
        name: what is wrong, as a folder name.
        write: puts the damaged file or files into a folder.
        problems: what a reader reports.
    """

    name: str
    write: Callable[[Path], Any]
    problems: tuple[str, ...]


def full_batch() -> dict[str, Any]:
    """Batch 1 with one of everything."""
    child = span(16, "step", index=3, attrs={"k": "v"}, mark_ids=[f"{32:032x}"])
    loss = mark(32, "loss", 0.5, span_id=child["id"])
    return batch(1, spans=[child], marks=[loss], snapshots=[snapshot(48, "weight")])


def text() -> bytes:
    """Batch 1 as it lies on disk."""
    return json.dumps(full_batch()).encode()


def cut(name: str, before: bytes) -> Case:
    """Batch 1 up to where some bytes begin."""
    content = text()[: text().index(before)]
    return _bytes(f"cut-{name}", content, f"byte {len(content)}: Input data was truncated")


def changed(name: str, path: str, value: Any, reason: str) -> Case:
    """Batch 1 with the value at a path such as `spans.0.name` replaced."""
    document = full_batch()
    *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
    place: Any = document
    for key in parents:
        place = place[key]
    place[last] = value
    return _bytes(name, json.dumps(document).encode(), reason)


def without(name: str, key: str, reason: str) -> Case:
    """Batch 1 without one of its keys."""
    document = full_batch()
    del document[key]
    return _bytes(name, json.dumps(document).encode(), reason)


def replaced(name: str, old: bytes, new: bytes, reason: str) -> Case:
    """Batch 1 with bytes replaced, for what `json.dumps` would not write."""
    return _bytes(name, text().replace(old, new, 1), reason.format(at=text().index(old)))


def _bytes(name: str, content: bytes, *reasons: str) -> Case:
    return Case(
        name, lambda spool: put(spool, content), tuple(f"{ONE}: {reason}" for reason in reasons if reason)
    )


def _same_batch_twice(spool: Path) -> None:
    put(spool, full_batch())
    put(spool, full_batch(), f"{3:020d}-{1:032x}.json")


def _same_content_renamed(spool: Path) -> None:
    put(spool, full_batch())
    put(spool, full_batch(), THREE)


def _oversized(spool: Path) -> None:
    with put(spool, b"").open("wb") as file:
        file.truncate(256 * 1024 * 1024 + 1)  # sparse: takes no room


DEEP = b"[" * 100_000 + b"]" * 100_000

TRUNCATED = [
    _bytes("cut-empty-file", b"", "byte 0: Input data was truncated"),
    _bytes("cut-first-byte", b"{", "byte 1: Input data was truncated"),
    cut("in-a-key", b'hema_version"'),
    cut("after-a-key", b": 1,"),
    cut("in-a-number", b'1, "sdk'),
    cut("in-a-string", b".0.0"),
    cut("in-the-spans", b'"name": "step"'),
    cut("after-the-spans", b'"marks":'),
    cut("in-a-mark", b'"value_type"'),
    cut("in-a-histogram", b"-0.5"),
    cut("in-the-clock", b'"monotonic_ns"'),
    _bytes("cut-last-byte", text()[:-1], f"byte {len(text()) - 1}: Input data was truncated"),
]

NOT_JSON = [
    _bytes("nul-bytes", b"\0" * 4096, "byte 0: JSON is malformed: invalid character"),
    _bytes(
        "nul-bytes-after-the-batch",
        text() + b"\0" * 512,
        f"byte {len(text()) + 1}: JSON is malformed: trailing characters",
    ),
    _bytes("two-batches", text() + text(), f"byte {len(text()) + 1}: JSON is malformed: trailing characters"),
    _bytes("utf-8-byte-order-mark", b"\xef\xbb\xbf" + text(), "byte 0: JSON is malformed: invalid character"),
    _bytes(
        "utf-16",
        text().decode().encode("utf-16-le"),
        "byte 1: JSON is malformed: object keys must be strings",
    ),
    _bytes("gzip", b"\x1f\x8b\x08\x00" + b"\0" * 60, "byte 0: JSON is malformed: invalid character"),
    replaced("not-utf-8", b'ep"', b'\xffp"', "byte {at}: not UTF-8"),
    replaced("nan", b'0.5, "attrs', b'NaN, "attrs', "byte {at}: JSON is malformed: invalid character"),
    replaced(
        "control-character-in-a-string",
        b'ep"',
        b'\x00p"',
        "byte {at}: JSON is malformed: invalid character",
    ),
    replaced("nested-deep-in-attributes", b'"v"', DEEP, "nested too deeply"),
    replaced(
        "nested-deep-in-an-unknown-key",
        b'"schema_version"',
        b'"x": ' + DEEP + b', "schema_version"',
        "nested too deeply",
    ),
]

NOT_A_BATCH = [
    _bytes("null", b"null", "$: Expected `object`, got `null`"),
    _bytes("list", b"[" + text() + b"]", "$: Expected `object`, got `array`"),
    _bytes("no-keys", b"{}", "$: Object missing required field `schema_version`"),
    without("no-batch-id", "batch_id", "$: Object missing required field `batch_id`"),
    without("no-spans", "spans", "$: Object missing required field `spans`"),
    changed("name-is-a-number", "spans.0.name", 5, "$.spans[0].name: Expected `str`, got `int`"),
    changed("start-is-a-string", "spans.0.start_ns", "5", "$.spans[0].start_ns: Expected `int`, got `str`"),
    changed(
        "start-has-a-fraction", "spans.0.start_ns", 5.5, "$.spans[0].start_ns: Expected `int`, got `float`"
    ),
    changed("start-is-negative", "spans.0.start_ns", -1, "$.spans[0].start_ns: Expected `int` >= 0"),
    changed(
        "start-is-huge",
        "spans.0.start_ns",
        10**30,
        "$.spans[0].start_ns: Expected `int` <= 9223372036854775807",
    ),
    changed("id-is-short", "spans.0.id", "abc", "$.spans[0].id: Expected `str` of length >= 32"),
    changed("attributes-are-a-list", "spans.0.attrs", [], "$.spans[0].attrs: Expected `object`, got `array`"),
    changed("spans-are-an-object", "spans", {}, "$.spans: Expected `array`, got `object`"),
    changed("a-span-is-null", "spans", [None], "$.spans[0]: Expected `object`, got `null`"),
    changed(
        "unknown-value-type",
        "marks.0.value_type",
        "complex",
        "$.marks[0].value_type: Invalid value 'complex'",
    ),
    changed(
        "value-of-another-type",
        "marks.0.value",
        "high",
        "$.marks[0].value: Expected `float | null`, got `str`",
    ),
    changed("unknown-kind", "marks.0.kind", "line", "$.marks[0].kind: Invalid enum value 'line'"),
    changed("unknown-mode", "snapshots.0.mode", "half", "$.snapshots[0].mode: Invalid enum value 'half'"),
    changed("session-is-a-number", "session_id", 7, "$.session_id: Expected `str | null`, got `int`"),
    replaced(
        "value-overflows-a-double", b'0.5, "attrs', b'1e999, "attrs', "$.marks[0].value: Number out of range"
    ),
]

_NEWER = "$.schema_version: schema version {}, this release reads 1; read it with a newer cirron"

VERSIONS = [
    changed("version-2", "schema_version", 2, _NEWER.format(2)),
    _bytes("version-9-of-another-shape", b'{"schema_version": 9, "spans": "s3://bucket"}', _NEWER.format(9)),
    changed("version-0", "schema_version", 0, "$.schema_version: Invalid enum value 0"),
    changed("version-is-a-string", "schema_version", "1", "$.schema_version: Expected `int`, got `str`"),
]

FILES = [
    Case(
        "same-batch-twice",
        _same_batch_twice,
        (f"{3:020d}-{1:032x}.json: $.batch_id: batch {1:032x} was already read from {ONE}",),
    ),
    Case(
        "same-content-under-another-name",
        _same_content_renamed,
        (f"{THREE}: $.batch_id: batch {1:032x} was already read from {ONE}",),
    ),
    Case("oversized", _oversized, (f"{ONE}: 268435457 bytes; a batch has at most 268435456",)),
    Case(
        "name-without-a-time",
        lambda spool: put(spool, full_batch(), "copy.json"),
        ("copy.json: not named <20 digits>-<32 hex digits>.json",),
    ),
    Case(
        "name-in-upper-case",
        lambda spool: put(spool, full_batch(), f"{1:020d}-{'AB' * 16}.json"),
        (f"{1:020d}-{'AB' * 16}.json: not named <20 digits>-<32 hex digits>.json",),
    ),
    Case(
        "directory-named-like-a-batch", lambda spool: (spool / ONE).mkdir(), (f"{ONE}: not a regular file",)
    ),
    Case("dangling-link", lambda spool: (spool / ONE).symlink_to("nowhere"), (f"{ONE}: not a regular file",)),
    Case("unfinished-write", lambda spool: put(spool, text()[:40], ONE + ".tmp"), ()),
    Case("foreign-file", lambda spool: put(spool, b"hello", "README.txt"), ()),
]

HARMLESS = [
    replaced(
        "key-twice-the-last-counts",
        b'"sdk_version"',
        b'"sdk_version": 7, "sdk_version"',
        "$.sdk_version: Expected `str`, got `int`",
    ),
    replaced("integer-of-60-digits", b'"float", "value": 0.5', b'"int", "value": ' + b"9" * 60, ""),
    replaced("whole-float-without-a-point", b'0.5, "attrs', b'2, "attrs', ""),
    replaced("unknown-key", b'"schema_version"', b'"later": {"a": [1, null]}, "schema_version"', ""),
]

CASES = [*TRUNCATED, *NOT_JSON, *NOT_A_BATCH, *VERSIONS, *FILES, *HARMLESS]


def write_case(case: Case, spool: Path) -> None:
    """The case's files, and next to them a batch that is in order."""
    put(spool, batch(2, spans=[session_span()]))
    case.write(spool)


def main(directory: str) -> None:
    """Write all cases below a directory."""
    for case in CASES:
        spool = Path(directory) / case.name
        spool.mkdir(parents=True)
        write_case(case, spool)
        (spool / "problems.txt").write_text("".join(line + "\n" for line in case.problems), encoding="utf-8")
    print(f"wrote {len(CASES)} damaged spools to {directory}")


if __name__ == "__main__":
    main(sys.argv[1])
