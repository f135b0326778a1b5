"""What the slices of a trace are called: names stand in it once, and events refer to them by number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirron.export.perfetto.packets import SLICE_BEGIN, annotation, interned
from cirron.export.perfetto.protobuf import message, number, text

NAMES_MAX = 50_000  # of each kind; of more than these hardly any comes again

_BEGINS = number(9, SLICE_BEGIN)


class Vocabulary:
    """The names of slices and of their arguments.

    Example:
        vocabulary = Vocabulary()
        body = vocabulary.slice_begin("step", {"index": 3})
        trace = vocabulary.packet() + event(ts_ns, on_track(track) + body)
    """

    def __init__(self) -> None:
        self._slices = _Names(field=2, name_field=23, number_field=10)
        self._arguments = _Names(field=3, name_field=10, number_field=1)

    def slice_begin(self, name: str, arguments: Mapping[str, Any]) -> bytes:
        """The body of the event that opens a slice."""
        references = [annotation(self._arguments.reference(key), value) for key, value in arguments.items()]
        return _BEGINS + self._slices.reference(name) + b"".join(references)

    def packet(self) -> bytes:
        """The packet with all names; it belongs before every event that was made with them."""
        return interned(self._slices.entries() + self._arguments.entries())


class _Names:
    """Names of one kind, and the numbers that stand for them.

    Args:
        field: where they stand in `InternedData`.
        name_field, number_field: how an event refers to one by itself, or by its number.
    """

    def __init__(self, field: int, name_field: int, number_field: int) -> None:
        self._field = field
        self._name_field = name_field
        self._number_field = number_field
        self._references: dict[str, bytes] = {}

    def reference(self, name: str) -> bytes:
        """The field that names a thing."""
        known = self._references.get(name)
        if known is not None:
            return known
        if len(self._references) >= NAMES_MAX:
            return text(self._name_field, name)
        reference = number(self._number_field, len(self._references) + 1)
        self._references[name] = reference
        return reference

    def entries(self) -> bytes:
        """The names and their numbers, for `interned_data`."""
        return b"".join(
            message(self._field, number(1, position) + text(2, name))
            for position, name in enumerate(self._references, start=1)
        )
