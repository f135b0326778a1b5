"""How recorded batches leave the machine: to a server, or as lines of standard output."""

from cirron.delivery.make import make_sender
from cirron.delivery.sender import Sender
from cirron.delivery.transport import transport_name

__all__ = ["Sender", "make_sender", "transport_name"]
