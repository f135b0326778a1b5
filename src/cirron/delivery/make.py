"""The sender of a session, put together from its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cirron._version import __version__
from cirron.delivery.claim import SpoolClaim
from cirron.delivery.sender import Sender
from cirron.delivery.sent import SentFolder
from cirron.delivery.spool_queue import SpoolQueue
from cirron.delivery.transport import Transport, http_fault, transport_name
from cirron.faults import Faults

if TYPE_CHECKING:
    from cirron.delivery.blobs import Blobs
    from cirron.settings import Settings


def make_sender(
    settings: Settings,
    session_id: str,
    faults: Faults,
    removed: Callable[[int], None] = lambda _: None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Sender | None:
    """A session's sender, not started yet; None for `file_only`.

    Args:
        settings: of the session.
        session_id: its id.
        faults: takes what goes wrong, settings that cannot be used included.
        removed: told the size of each batch that left the spool.
        is_wanted: whether it is this process that shall send; asked again and again.

    Example:
        sender = make_sender(settings, session_id, faults, removed=cap.removed)
        supervisor = Supervisor([writer, sender], faults)
        ...
        supervisor.stop(sender, 3.0, finish=True)
        sender.close()
    """
    sent = SentFolder(settings.output_dir, session_id, faults)
    sent.sweep()
    name = transport_name(settings)
    if name == "file_only":
        _say_why(settings, faults)
        return None
    transport, blobs = _event_stream() if name == "event_stream" else _http(settings, faults)
    queue = SpoolQueue(settings.spool_dir, sent, faults, removed)
    claim = SpoolClaim(settings.output_dir, faults)
    return Sender(transport, queue, claim, faults, settings.spool_dir, blobs, is_wanted=is_wanted)


def _say_why(settings: Settings, faults: Faults) -> None:
    fault = http_fault(settings) if settings.api_key else None
    if fault is not None:
        faults.warn(f"{fault}. Until then nothing is sent, and traces stay in {settings.spool_dir}")


def _event_stream() -> tuple[Transport, None]:
    from cirron.delivery.event_stream import EventStream

    return EventStream(), None


def _http(settings: Settings, faults: Faults) -> tuple[Transport, Blobs]:
    from cirron.delivery.blobs import Blobs
    from cirron.delivery.http import HttpTransport

    transport = HttpTransport(settings.api_endpoint, settings.api_key or "", __version__)
    return transport, Blobs(settings.output_dir, transport.put_file, faults)
