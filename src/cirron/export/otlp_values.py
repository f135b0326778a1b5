"""Ids and attribute values as OTLP/JSON writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

_INT64 = range(-(2**63), 2**63)
_MASK = 2**64 - 1
_SPREAD = 0x9E3779B97F4A7C15  # an odd number whose bits look random: 2^64 divided by the golden ratio
_DEPTH_MAX = 16  # protobuf's JSON parsers stop at a hundred levels, and one of ours takes four of theirs


def trace_id(identity: str) -> str:
    """The 32 digits of a trace: those of a session's id, else a digest of whatever names the run.

    Example:
        >>> trace_id("446a507b2456443f923f85774a0854e3")
        '446a507b2456443f923f85774a0854e3'
    """
    number = _hex_number(identity)
    return f"{number:032x}" if number else blake2b(identity.encode(), digest_size=16).hexdigest()


def span_id(identity: str) -> str:
    """The 16 digits of a span, always the same for the same id of ours and never all zero.

    The recorder's ids are a random half, one for a journal, and a half that counts: their sum, with the random half
    spread out, differs for any two ids of one journal, and for ids of different journals unless their random halves
    happen to lie just so.
    """
    number = _hex_number(identity)
    if number is None:
        return blake2b(identity.encode(), digest_size=8).hexdigest()
    mixed = ((number >> 64) * _SPREAD + number) & _MASK
    return f"{mixed or 1:016x}"


def attributes(values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """A list of attributes, one for each key."""
    return [{"key": key, "value": any_value(value)} for key, value in dict(values).items()]


def any_value(value: Any, depth: int = 0) -> dict[str, Any]:
    """A JSON value as OTLP's `AnyValue`; an empty one for null, and as text what its numbers cannot hold."""
    match value:
        case str():
            return {"stringValue": value}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)} if value in _INT64 else {"stringValue": str(value)}
        case float():
            return {"doubleValue": _double(value)}
        case None:
            return {}
    if depth == _DEPTH_MAX:
        return {"stringValue": msgspec.json.encode(value).decode()}
    if isinstance(value, Mapping):
        pairs = [{"key": key, "value": any_value(each, depth + 1)} for key, each in value.items()]
        return {"kvlistValue": {"values": pairs}}
    return {"arrayValue": {"values": [any_value(each, depth + 1) for each in value]}}


def _double(value: float) -> float | str:
    """The number, or the word that protobuf's JSON has for it."""
    if value != value:
        return "NaN"
    return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value, value)


def _hex_number(identity: str) -> int | None:
    """The number that 32 digits make; None for an id of another kind, which readers do not rule out."""
    try:
        return int.from_bytes(bytes.fromhex(identity)) if len(identity) == 32 else None
    except ValueError:
        return None
