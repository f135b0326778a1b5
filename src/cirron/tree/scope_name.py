"""What the spans of one scope are called by."""

from __future__ import annotations

from cirron.spool.records import ATTR_FUNCTION, REQUEST_NAME, AnySpan


def scope_name(span: AnySpan) -> str:
    """The name of the span and, of a request, since all of these have the same, that of its function."""
    if span.name != REQUEST_NAME or (function := span.attrs.get(ATTR_FUNCTION)) is None:
        return span.name
    return f"{REQUEST_NAME} {function}"


def is_named(scope: str, name: str) -> bool:
    """Whether scopes of such a name are meant by `name`; `request` means those of all functions.

    Example:
        is_named("request embed", "request")
    """
    return scope == name or (name == REQUEST_NAME and scope.startswith(f"{REQUEST_NAME} "))
