"""A bundle: a folder with all that is known of a process which has no memory left, or soon will have none.

    summary.json     cause, process, device, the settings of the environment, and the parts that could not be written
    events.jsonl     the newest events of the tracker, the newest last
    phases.json      the phases that are open in all threads and tasks, and what each phase did to the memory so far
    traceback.txt    where the exception came from, without the values of variables
    allocator.json   what torch's allocator counts; on the host what the kernel says of the process and its group
    tensors.json     the largest tensors that are alive, without their values

Memory is short when it is written: each part is made and written by itself, and one that fails leaves out only itself.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from stormlog.oom.allocator import allocator_facts
from stormlog.oom.environment import environment
from stormlog.oom.tensors import largest_tensors

PART_MAX_BYTES = 2 << 20
EVENTS = 1000

_encode = msgspec.json.Encoder(enc_hook=str).encode


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """What a tracker knows.

    Args:
        cause: a line that says what happened.
        error: the exception, if it is one.
        events: of the tracker as JSON, the newest last.
        open_phases: those that are open, with their memory at the entry.
        ledger: by path what each phase has done to the memory so far.
    """

    cause: str
    error: BaseException | None
    events: list[bytes]
    open_phases: list[dict[str, Any]]
    ledger: dict[str, dict[str, Any]]


def write_bundle(folder: Path, bundle: Bundle) -> Path:
    """Write a bundle into a folder of its own below `folder`, at most 12 MiB; returns where it is.

    Raises:
        OSError: not even the folder can be made.
    """
    place = folder / f"{time.time_ns():020d}-{os.getpid()}"
    unfinished = place.with_name(f"{place.name}.tmp")
    unfinished.mkdir(parents=True)
    left_out: dict[str, str] = {}
    for name, part in _parts(bundle):
        try:
            _write(unfinished / name, part())
        except Exception as error:  # noqa: BLE001 - most of all another MemoryError; the other parts are worth it
            left_out[name] = str(error) or type(error).__name__
    _write(unfinished / "summary.json", [_encode(_summary(bundle, left_out))])
    unfinished.rename(place)
    return place


def _parts(bundle: Bundle) -> Iterator[tuple[str, Callable[[], Iterable[bytes]]]]:
    """The files but the summary, those first that need the least memory."""
    yield "phases.json", lambda: [_encode({"open": bundle.open_phases, "ledger": bundle.ledger})]
    yield "events.jsonl", lambda: _newest_that_fit(bundle.events)
    if bundle.error is not None:
        error = bundle.error
        yield "traceback.txt", lambda: ["".join(traceback.format_exception(error, limit=-50)).encode()]
    yield "allocator.json", lambda: [_encode(allocator_facts())]
    yield "tensors.json", lambda: [_encode(largest_tensors())]


def _newest_that_fit(events: list[bytes]) -> list[bytes]:
    lines: list[bytes] = []
    room = PART_MAX_BYTES
    for event in reversed(events):
        line = event + b"\n"
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    return lines[::-1]


def _summary(bundle: Bundle, left_out: dict[str, str]) -> dict[str, Any]:
    error = bundle.error
    return {
        "cause": bundle.cause,
        "error": None if error is None else {"type": type(error).__qualname__, "message": str(error)[:2000]},
        "newest_event": msgspec.Raw(bundle.events[-1]) if bundle.events else None,
        "environment": environment(),
        "left_out": left_out,
    }


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a part; what exceeds its limit is cut off, which is better than a full disk."""
    room = PART_MAX_BYTES
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk[:room])
            room -= min(room, len(chunk))
