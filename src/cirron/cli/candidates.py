"""What the Tab key offers for the ids and names in a spool: from its newest files only, and never an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import TypeAlias

import click
import msgspec

from cirron.spool import SpoolFile, list_files

FILES_MAX = 200  # looked into; a person waits for the answer

_NO_SNAPSHOTS = b'"snapshots":[]}'  # how cirron ends a batch without any; to decode it would cost more
_WORD = re.compile(r"[\w.:/+=\[\]][\w.:/+=\[\]-]*")
_END_BYTES = 4096  # the session's id stands before the records or, as other writers may have it, after them
_SESSION_ID = re.compile(rb'"session_id"\s*:\s*"([0-9a-f]{32})"')

Completer: TypeAlias = Callable[[click.Context, click.Parameter, str], list[str]]


class _Snapshot(msgspec.Struct, gc=False):
    span_id: str
    tensor_name: str


class _Snapshots(msgspec.Struct, gc=False):
    snapshots: list[_Snapshot] = []


def _safe(completer: Completer) -> Completer:
    """The same for a command line that is being typed.

    What a shell would take for more than a word is not offered: it would insert it as it stands. Nor is anything
    where the completer fails: a message would end up in the middle of the line.
    """

    @wraps(completer)
    def safe(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        try:
            return [each for each in completer(context, parameter, begun) if _WORD.fullmatch(each)]
        except Exception:  # noqa: BLE001 - whatever it is, the command itself will say it
            return []

    return safe


@_safe
def complete_sessions(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The ids of sessions that begin so, the newest first."""
    ids = (_session_of(file) for file in _newest(context))
    return [each for each in dict.fromkeys(ids) if each and each.startswith(begun.lower())]


@_safe
def complete_spans(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The ids of spans with snapshots, as short as the listing shows them unless more was typed."""
    from cirron.snapshots import short_span_ids

    ids = dict.fromkeys(snapshot.span_id for snapshot in _snapshots(context))
    short = short_span_ids(ids)
    offered = (short[each] if short[each].startswith(begun.lower()) else each for each in ids)
    return [each for each in offered if each.startswith(begun.lower())]


@_safe
def complete_tensors(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The names of the tensors looked at in the span that stands before on the command line."""
    from cirron.snapshots import SpanPattern

    span = SpanPattern.parse(context.params["span"])
    names = (snapshot.tensor_name for snapshot in _snapshots(context) if span.matches(snapshot.span_id))
    return [name for name in dict.fromkeys(names) if name.startswith(begun)]


def _newest(context: click.Context) -> Iterator[SpoolFile]:
    spool = context.params.get("spool") or Path(".cirron")
    return reversed(list_files(spool)[-FILES_MAX:])


def _session_of(file: SpoolFile) -> str | None:
    with file.path.open("rb") as opened:
        head = opened.read(_END_BYTES)
        opened.seek(max(0, file.size_bytes - _END_BYTES))
        match = _SESSION_ID.search(head) or _SESSION_ID.search(opened.read())
    return None if match is None else match[1].decode()


def _snapshots(context: click.Context) -> Iterator[_Snapshot]:
    for file in _newest(context):
        if not _has_none(file):
            yield from msgspec.json.decode(file.path.read_bytes(), type=_Snapshots).snapshots


def _has_none(file: SpoolFile) -> bool:
    """Whether its end says that there is no snapshot in it."""
    with file.path.open("rb") as opened:
        opened.seek(max(0, file.size_bytes - len(_NO_SNAPSHOTS)))
        return opened.read() == _NO_SNAPSHOTS
