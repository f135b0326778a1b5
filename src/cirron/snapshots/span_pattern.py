"""Span ids as a person gives them.

All ids of a session begin with the same 16 digits and end in a counter, so a beginning alone seldom tells two
spans of one session apart. `446a507b..1f3` stands for the ids that begin and end so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_DOTS = ".."
_HEAD = 8
_TAIL_MIN = 4  # enough that spans which are not listed are seldom meant as well


@dataclass(frozen=True)
class SpanPattern:
    """The ids that begin with `head` and end with `tail`.

    Example:
        >>> SpanPattern.parse("446a507b..1f3").matches("446a507b2456443f00000000000001f3")
        True
    """

    head: str
    tail: str

    @classmethod
    def parse(cls, text: str) -> SpanPattern:
        """The pattern that was meant by `HEAD`, `HEAD..TAIL` or `..TAIL`."""
        head, _, tail = text.lower().partition(_DOTS)
        return cls(head, tail)

    def matches(self, span_id: str) -> bool:
        """Whether the id is one of them."""
        return span_id.startswith(self.head) and span_id.endswith(self.tail)


def short_span_ids(span_ids: Iterable[str]) -> dict[str, str]:
    """For each id a pattern that no other of them matches: 8 digits, else 8 and four of the last, or more.

    Example:
        >>> short_span_ids(["446a507b2456443f00000000000001f3", "446a507b2456443f00000000000001f4"])
        {'446a507b2456443f00000000000001f3': '446a507b..01f3', '446a507b2456443f00000000000001f4': '446a507b..01f4'}
    """
    ids = sorted(set(span_ids))
    if len({span_id[:_HEAD] for span_id in ids}) == len(ids):
        return {span_id: span_id[:_HEAD] for span_id in ids}
    length = _TAIL_MIN
    while len({_short(span_id, length) for span_id in ids}) < len(ids):
        length += 1
    return {span_id: _short(span_id, length) for span_id in ids}


def _short(span_id: str, length: int) -> str:
    if _HEAD + length >= len(span_id):
        return span_id
    return span_id[:_HEAD] + _DOTS + span_id[-length:]
