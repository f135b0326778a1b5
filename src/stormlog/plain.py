"""Values of users as JSON can hold them, so that no record keeps a tensor alive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirron._recorder.values import Rejected, coerce

MAX_DEPTH = 4
MAX_ITEMS = 100
MAX_CHARACTERS = 1000


def plain(value: object, depth: int = 0) -> Any:
    """Numbers, text, truth values, and small lists and dicts of them; of anything else only its type.

    Example:
        >>> plain({"lr": numpy.float32(0.5), "model": model})
        {'lr': 0.5, 'model': '<Linear>'}
    """
    if isinstance(value, (list, tuple, Mapping)) and depth < MAX_DEPTH and len(value) <= MAX_ITEMS:
        if isinstance(value, Mapping):
            return {str(key): plain(each, depth + 1) for key, each in value.items()}
        return [plain(each, depth + 1) for each in value]
    try:
        scalar = coerce(value)
    except Rejected:
        return f"<{type(value).__name__}>"
    if isinstance(scalar, str):
        return scalar[:MAX_CHARACTERS]
    return scalar if isinstance(scalar, (int, float, type(None))) else f"<{type(value).__name__}>"
