"""Protobuf's encoding, as far as a trace needs it: fields as bytes, to be put one behind the other."""

from __future__ import annotations

import struct

LENGTH_DELIMITED = 2
_FIXED64 = 1
_UINT64 = 2**64 - 1
_SMALL = [bytes([value]) for value in range(128)]


def varint(value: int) -> bytes:
    """A whole number in seven bits a byte; a negative one as its complement of 64 bits."""
    if 0 <= value < 128:
        return _SMALL[value]
    value &= _UINT64
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def number(field: int, value: int) -> bytes:
    """A field with a whole number."""
    return varint(field << 3) + varint(value)


def double(field: int, value: float) -> bytes:
    """A field with a floating-point number."""
    return varint(field << 3 | _FIXED64) + struct.pack("<d", value)


def message(field: int, content: bytes) -> bytes:
    """A field with a message, or with bytes."""
    return varint(field << 3 | LENGTH_DELIMITED) + varint(len(content)) + content


def text(field: int, value: str) -> bytes:
    """A field with text."""
    return message(field, value.encode())
