"""What the sessions of a run have open, for the commands that show a run while it goes on."""

from __future__ import annotations

from collections.abc import Callable

from cirron.cli.local_spool import Chosen
from cirron.cli.messages import say
from cirron.errors import CirronError
from cirron.spool import Span, open_spans


def open_spans_of(picked: Chosen) -> Callable[[str], list[Span]]:
    """A function from a session's id to its open spans; what cannot be told is said, and counts as nothing."""

    def found(session_id: str) -> list[Span]:
        try:
            return open_spans(picked.reader.spool, session_id)
        except CirronError as error:
            say(f"Warning: open scopes are not shown: {error}")
            return []

    return found
