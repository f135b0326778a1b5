"""Which exceptions say that there is no memory left."""

from __future__ import annotations

_DEEPEST = 8


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether it is a `MemoryError` or torch's own, or was raised from one; torch is not imported to find out."""
    for _ in range(_DEEPEST):
        if error is None:
            return False
        if isinstance(error, MemoryError) or any(_is_torchs(kind) for kind in type(error).__mro__):
            return True
        error = error.__cause__
    return False


def _is_torchs(kind: type) -> bool:
    return kind.__name__ == "OutOfMemoryError" and kind.__module__.partition(".")[0] == "torch"
