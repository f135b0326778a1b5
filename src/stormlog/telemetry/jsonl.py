"""Telemetry events as a file: one JSON object a line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from cirron.spool.telemetry_event import SCHEMA_VERSION, TelemetryEvent

_AT = re.compile(r" - at `\$\.(.+)`$")
_MISSING = re.compile(r"missing required field `(.+)`")

_decode = msgspec.json.Decoder(TelemetryEvent).decode
_encode = msgspec.json.Encoder().encode


class _Version(msgspec.Struct):
    schema_version: int


class EventFormatError(ValueError):
    """A line of a file is no telemetry event; the message is `file:line: field: reason`.

    Attributes:
        path: the file.
        line: the number of the line, from 1.
        field: the name of the field that is wrong; None where the whole line is.
        reason: what is wrong.
    """

    def __init__(self, path: Path, line: int, field: str | None, reason: str) -> None:
        super().__init__(": ".join(part for part in (f"{path}:{line}", field, reason) if part is not None))
        self.path = path
        self.line = line
        self.field = field
        self.reason = reason


def load_events(path: str | os.PathLike[str]) -> list[TelemetryEvent]:
    """The events of a file that `save_events` wrote, in its order; empty lines are passed over.

    Args:
        path: a file with one event a line.

    Raises:
        EventFormatError: naming the file, the line and the field that is wrong.
        OSError: the file cannot be read.

    Example:
        events = load_events("memory.jsonl")
    """
    return list(_events(Path(path)))


def save_events(events: Iterable[TelemetryEvent], path: str | os.PathLike[str]) -> int:
    """Write events to a file, one a line; a file of that name is replaced, once all are written.

    Args:
        events: what a tracker has recorded.
        path: the file.

    Returns:
        How many events there were.

    Raises:
        OSError: the file cannot be written; one that was there is left as it was.

    Example:
        save_events(tracker.events(), "memory.jsonl")
    """
    target = Path(path)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        count = _write(events, unfinished)
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return count


def _write(events: Iterable[TelemetryEvent], path: Path) -> int:
    count = 0
    with path.open("wb") as file:
        for event in events:
            file.write(_encode(event) + b"\n")
            count += 1
    return count


def _events(path: Path) -> Iterator[TelemetryEvent]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _event(path, number, line)


def _event(path: Path, number: int, line: bytes) -> TelemetryEvent:
    try:
        return _decode(line)
    except msgspec.ValidationError as error:
        raise EventFormatError(path, number, *_what_is_wrong(line, str(error))) from None
    except msgspec.DecodeError as error:
        raise EventFormatError(path, number, None, f"no JSON object: {error}") from None
    except UnicodeDecodeError:
        raise EventFormatError(path, number, None, "not UTF-8") from None
    except RecursionError:
        raise EventFormatError(path, number, None, "nested too deeply") from None


def _what_is_wrong(line: bytes, message: str) -> tuple[str | None, str]:
    """The field and the reason, from the decoder's message."""
    version = _version(line)
    if version is not None and version > SCHEMA_VERSION:
        reason = f"{version}, this release reads {SCHEMA_VERSION}; read it with a newer cirron"
        return "schema_version", reason
    if message.startswith("rank "):
        return "rank", message.removeprefix("rank ")
    if missing := _MISSING.search(message):
        return missing[1], "missing"
    field = _AT.search(message)
    return (field[1] if field else None), _AT.sub("", message)


def _version(line: bytes) -> int | None:
    try:
        return msgspec.json.decode(line, type=_Version).schema_version
    except msgspec.DecodeError:
        return None
