"""Finds the span and the tensor that a person means."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from cirron.errors import CirronError
from cirron.snapshots.listing import Taken
from cirron.snapshots.span_pattern import short_span_ids

_NAMED = 5  # candidates told one by one


def require_one_span(taken: Sequence[Taken], pattern: str) -> None:
    """Refuse snapshots of several spans, or none.

    Raises:
        CirronError: naming the spans, so that one can be chosen.
    """
    if not taken:
        raise CirronError(
            f"no snapshot was taken in a span '{pattern}': see `cirron traces snapshots` for those that were"
        )
    scopes = {each.snapshot.span_id: each.scope for each in taken}
    if len(scopes) > 1:
        short = short_span_ids(scopes)
        several = ", ".join(f"{short[span_id]} ({scope})" for span_id, scope in list(scopes.items())[:_NAMED])
        raise CirronError(f"{len(scopes)} spans with snapshots match '{pattern}': choose one of {several}")


def of_tensor(taken: Sequence[Taken], given: str) -> list[Taken]:
    """The snapshots of the tensor of this name, or else of the only one whose name begins or ends so.

    Raises:
        CirronError: there is none, or more than one; with the names that are near.
    """
    names = list(dict.fromkeys(each.snapshot.tensor_name for each in taken))
    name = _meant(names, given)
    return [each for each in taken if each.snapshot.tensor_name == name]


def _meant(names: list[str], given: str) -> str:
    if given in names:
        return given
    matching = [name for name in names if name.startswith(given) or name.endswith(given)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise CirronError(
            f"{len(matching)} tensors begin or end with '{given}': choose one of {_listed(matching)}"
        )
    near = [name for name in names if given in name] or get_close_matches(given, names, _NAMED) or names
    raise CirronError(f"no tensor is called '{given}' in this span: there are {_listed(near)}")


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
