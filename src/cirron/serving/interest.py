"""Whether objects of a type can hold what is said about a language model's answer, told by the type alone."""

from __future__ import annotations

NEVER, ALWAYS, BY_FIELD, CLIENT_STREAM = range(4)  # as `Interest` of interest.cpp has them

_WHOLE = ({"usage"}, {"choices"}, {"prompt_token_ids", "outputs"})
_EVENTS = ({"type", "delta"}, {"type", "response"}, {"type", "message"})
_FIELDS = frozenset({"usage", "choices", "prompt_token_ids", "type"})


def interest(kind: type) -> int:
    """`ALWAYS` where the class declares such fields, `BY_FIELD` where its objects may have them, else `NEVER`.

    The streams of chunks of OpenAI's and Anthropic's clients are `CLIENT_STREAM`.

    An attribute that is computed is never asked for: that would run the program's code.
    """
    if any(map(_is_client_stream, kind.__mro__)):
        return CLIENT_STREAM
    declared = _declared(kind)
    if any(fields <= declared for fields in (*_WHOLE, *_EVENTS)):
        return ALWAYS
    return BY_FIELD if _is_plain(kind) else NEVER


def _is_client_stream(kind: type) -> bool:
    package = kind.__module__.partition(".")[0]
    return package in ("openai", "anthropic") and kind.__name__ in ("Stream", "AsyncStream")


def _declared(kind: type) -> set[str]:
    """The fields of a dataclass, a pydantic model, a msgspec struct or a class with slots."""
    names: set[str] = set()
    for base in kind.__mro__:
        names.update(_own_names(vars(base)))
    return names


def _own_names(body: object) -> set[str]:
    annotations = body.get("__annotations__", {})  # type: ignore[attr-defined]
    slots = body.get("__slots__", ())  # type: ignore[attr-defined]
    return {*annotations, *((slots,) if isinstance(slots, str) else slots)}


def _is_plain(kind: type) -> bool:
    """Whether looking an attribute up in one of its objects runs no code of the program's."""
    computed = any(hasattr(type(getattr(kind, name, None)), "__get__") for name in _FIELDS)
    return bool(kind.__dictoffset__) and not computed and not hasattr(kind, "__getattr__")
