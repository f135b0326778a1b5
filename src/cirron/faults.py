"""What goes wrong inside cirron: counted by place, said once, never raised into the user's program."""

from __future__ import annotations

import errno
import threading

SPOOL = "spool"  # the place of all faults with the session's folders: one cause, one warning

WAYS_OUT = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "raise the quota or free some space",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EMFILE: "raise the limit on open files",
}


def way_out(error: OSError) -> str:
    """What the user can do about an error of the session's folders."""
    if isinstance(error, TimeoutError):
        return "another pass is slow or hangs: see whether the disk still answers"
    return WAYS_OUT.get(error.errno or 0, "make the folder writable, or pass another `path` to profile()")


class Faults:
    """Counters of internal errors, and the one way by which cirron speaks to its user."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant: a signal handler may note while its thread is noting
        self._counts: dict[str, int] = {}
        self._said: set[tuple[str, type[BaseException]]] = set()
        self._lasting: set[str] = set()

    def note(self, place: str, error: BaseException, consequence: str) -> None:
        """Count `error` at `place`; the first of its kind there is logged with its `consequence`.

        While a fault lasts, others at the same place are only counted: most likely they have the same cause.
        """
        kind = (place, type(error))
        with self._lock:
            self._counts[place] = self._counts.get(place, 0) + 1
            is_new = kind not in self._said and place not in self._lasting
            self._said.add(kind)
            self._lasting.add(place)
        if is_new:
            self.warn(f"{consequence}: {str(error) or type(error).__name__} (further ones are only counted)")

    def count(self, place: str) -> None:
        """Count an error at `place` that the user need not hear of."""
        with self._lock:
            self._counts[place] = self._counts.get(place, 0) + 1

    def over(self, place: str) -> None:
        """What failed at `place` works again."""
        with self._lock:
            self._lasting.discard(place)

    def warn(self, message: str) -> None:
        """Log `message` at WARNING; a logging handler that raises is counted and hurts nobody."""
        import logging

        try:
            logging.getLogger("cirron").warning("%s", message)
        except Exception:  # noqa: BLE001 - a handler of the user's, which may raise anything
            with self._lock:
                self._counts["logging"] = self._counts.get("logging", 0) + 1

    def counts(self) -> dict[str, int]:
        """How many errors there were, by place."""
        with self._lock:
            return dict(self._counts)
