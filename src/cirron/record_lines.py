r"""The records of a batch as lines for a person: what the sinks `log` and `stdout` give.

    span step[7]  12.3 ms  lr=0.1
    mark loss = 0.5301  in step[7]  split=train
    mark accuracy = 0.81  in epoch[2]  kind=summary

A record is one line, in the order of time: a span when it closes, a mark when it is set. `in` names the scope of a
mark if that closed in the same batch; a batch is what was recorded within about a second. Names and texts stand as
they are, but for characters that would break the line or move the cursor, which are spelled out (`\n`). What cirron
measures about itself (`cirron.overhead_ns`) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import msgspec

from cirron.spool.records import OVERHEAD_MARK, Batch, Mark, Span, is_session_span
from cirron.tree.units import clean, duration

_decode = msgspec.json.Decoder(Batch).decode


def record_lines(batch_json: bytes) -> list[str]:
    """The lines of one batch, without line ends.

    Raises:
        msgspec.DecodeError: it is no batch.
    """
    batch = _decode(batch_json)
    labels = {span.id: _label(span) for span in batch.spans if not is_session_span(span)}
    timed = [(mark.ts_ns, _mark(mark, labels)) for mark in batch.marks if mark.name != OVERHEAD_MARK]
    timed += [(span.end_ns, _span(span, span.end_ns)) for span in batch.spans if span.end_ns is not None]
    return [line for _, line in sorted(timed, key=itemgetter(0))]


def _span(span: Span, end_ns: int) -> str:
    return "  ".join([f"span {_label(span)}", duration(end_ns - span.start_ns), *_attrs(span.attrs)])


def _mark(mark: Mark, labels: Mapping[str, str]) -> str:
    value = mark.value_nonfinite or _value(mark.value)
    where = [f"in {labels[mark.span_id]}"] if mark.span_id in labels else []
    kind = [f"kind={mark.kind}"] if mark.kind != "point" else []
    return "  ".join([f"mark {clean(mark.name)} = {value}", *where, *kind, *_attrs(mark.attrs)])


def _label(span: Span) -> str:
    return clean(span.name) + ("" if span.index is None else f"[{span.index}]")


def _attrs(attrs: Mapping[str, Any]) -> list[str]:
    return [f"{clean(key)}={_value(value)}" for key, value in attrs.items()]


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else clean(str(value))
