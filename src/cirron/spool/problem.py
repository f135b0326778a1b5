"""What is wrong with a file of the spool."""

from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["corrupt", "invalid", "future", "duplicate", "oversized", "foreign", "unreadable", "journal"]


class Problem(NamedTuple):
    """One file that was left out, and why; as text, `file: position: reason`.

    Attributes:
        path: the file.
        kind: `corrupt` (not JSON), `invalid` (JSON, but not a batch), `future` (a later schema version),
            `duplicate`, `oversized`, `foreign` (a `.json` that is not named like a batch), `unreadable`
            (the system refused), `journal` (a dead process's journal could not be sealed).
        position: `byte 17`, or a path into the document such as `$.spans[0].name`; None for the whole file.
        reason: what is wrong.
    """

    path: Path
    kind: Kind
    position: str | None
    reason: str

    def __str__(self) -> str:
        where = (self.path.name, self.position, self.reason)
        return ": ".join(part for part in where if part is not None)
