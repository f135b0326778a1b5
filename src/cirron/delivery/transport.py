"""The ways by which batches leave this machine, and which of them a session takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cirron.delivery.endpoint import checked_api_key, checked_endpoint
from cirron.delivery.outcome import Outcome

if TYPE_CHECKING:
    from cirron.settings import Settings


class Transport(Protocol):
    """One way; used by one thread at a time but for `interrupt`."""

    @property
    def target(self) -> str:
        """Where it leads, for messages."""

    def deliver(self, batch_id: str, content: bytes) -> Outcome:
        """Try to hand over one batch; raises nothing, and takes a bounded time."""

    def interrupt(self) -> None:
        """Have the try that is under way in another thread fail soon; callable from a signal handler."""

    def close(self) -> None:
        """Let go of connections; the transport may be used again."""


def transport_name(settings: Settings) -> str:
    """How batches of a session with these settings leave: `event_stream`, `http` or `file_only`.

    Example:
        >>> transport_name(Settings(api_key=Secret("k")))
        'http'
    """
    if settings.run_id:
        return "event_stream"
    return "http" if settings.api_key and http_fault(settings) is None else "file_only"


def http_fault(settings: Settings) -> str | None:
    """Why these settings cannot be used for HTTP, and the way out; None when they can."""
    try:
        checked_api_key(settings.api_key or "")
    except ValueError as error:
        return f"the API key (`api_key`, CIRRON_API_KEY) cannot be used: {error}"
    try:
        checked_endpoint(settings.api_endpoint)
    except ValueError as error:
        return f"the server's address (`api_endpoint`, CIRRON_API_ENDPOINT) cannot be used: {error}"
    return None
