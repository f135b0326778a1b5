"""Turns the content of one file into a batch, or into a problem that says where it goes wrong."""

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cirron.spool.files import FILE_MAX_BYTES
from cirron.spool.problem import Problem
from cirron.spool.records import SCHEMA_VERSION, AnyBatch, Batch, LeanBatch, MemoryBatch, TimesBatch

_BYTE = re.compile(r" \(byte (\d+)\)$")
_PATH = re.compile(r" - at `(.+)`$")


class _Version(msgspec.Struct):
    schema_version: int


Shape = TypeVar("Shape", bound=AnyBatch)

_decoders: dict[type, msgspec.json.Decoder[Any]] = {
    shape: msgspec.json.Decoder(shape) for shape in (Batch, LeanBatch, TimesBatch, MemoryBatch)
}
_decode_version = msgspec.json.Decoder(_Version).decode


def load(path: Path) -> Batch | Problem | None:
    """The batch in one file, or what is wrong with it; None when the file is gone."""
    return load_as(path, Batch)


def load_as(path: Path, shape: type[Shape]) -> Shape | Problem | None:
    """The same with as many fields as are wanted.

    A sender removes a file once the server has it, so one that vanishes under a reader is nothing to report.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > FILE_MAX_BYTES:
            reason = f"{size_bytes} bytes; a batch has at most {FILE_MAX_BYTES}"
            return Problem(path, "oversized", None, reason)
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return Problem(path, "unreadable", None, error.strerror or str(error))
    return _decode(path, content, shape)


def _decode(path: Path, content: bytes, shape: type[Shape]) -> Shape | Problem:
    try:
        batch: Shape = _decoders[shape].decode(content)
        return batch
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _future(path, content) or _explain(path, content, error)


def _future(path: Path, content: bytes) -> Problem | None:
    """A problem of its own for a later version: its records may look different, and are not at fault."""
    try:
        version = _decode_version(content).schema_version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if version <= SCHEMA_VERSION:
        return None
    reason = f"schema version {version}, this release reads {SCHEMA_VERSION}; read it with a newer cirron"
    return Problem(path, "future", "$.schema_version", reason)


def _explain(path: Path, content: bytes, error: Exception) -> Problem:
    if isinstance(error, RecursionError):
        return Problem(path, "corrupt", None, "nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return Problem(path, "corrupt", _first_bad_byte(content), "not UTF-8")
    if isinstance(error, msgspec.ValidationError):
        return _invalid(path, str(error))
    return _corrupt(path, content, str(error))


def _invalid(path: Path, message: str) -> Problem:
    match = _PATH.search(message)
    return Problem(path, "invalid", match[1] if match else "$", _PATH.sub("", message))


def _corrupt(path: Path, content: bytes, message: str) -> Problem:
    match = _BYTE.search(message)
    position = match[1] if match else len(content)  # msgspec gives no byte only where the input ran out
    return Problem(path, "corrupt", f"byte {position}", _BYTE.sub("", message))


def _first_bad_byte(content: bytes) -> str | None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start}"
    return None
