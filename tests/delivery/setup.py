"""A sender without its thread: the test is the thread, and moves the clock."""

import json
import logging
from pathlib import Path
from typing import Any

from cirron.delivery import Sender
from cirron.delivery.blobs import Blobs
from cirron.delivery.claim import SpoolClaim
from cirron.delivery.http import HttpTransport
from cirron.delivery.sent import SentFolder
from cirron.delivery.spool_queue import SpoolQueue
from cirron.delivery.transport import Transport
from cirron.faults import Faults
from support.spool_files import SESSION_ID, batch, put

KEY = "s3cret-key-4711"
OTHER_SESSION = "0f" * 16


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Delivery:
    """A spool of batches and what sends them; random pauses have their full length."""

    def __init__(self, output_dir: Path, url: str | None = None, transport: Transport | None = None) -> None:
        self.output_dir = output_dir
        self.spool = output_dir / "spool"
        self.spool.mkdir(parents=True, exist_ok=True)
        self.faults = Faults()
        self.clock = Clock()
        self.removed_bytes: list[int] = []
        http = HttpTransport(url, KEY, "1.0.0") if url else None
        sent = SentFolder(output_dir, SESSION_ID, self.faults)
        self.queue = SpoolQueue(self.spool, sent, self.faults, self.removed_bytes.append, self.clock)
        self.claim = SpoolClaim(output_dir, self.faults)
        blobs = Blobs(output_dir, http.put_file, self.faults) if http else None
        chosen = transport or http
        assert chosen is not None
        self.sender = Sender(
            chosen, self.queue, self.claim, self.faults, self.spool, blobs, self.clock, lambda: 1.0
        )

    def write(self, *numbers: int, **changes: Any) -> None:
        """Put batches into the spool, of a session that is over unless told otherwise."""
        for number in numbers:
            put(self.spool, batch(number, **{"session_id": OTHER_SESSION} | changes))

    def round(self, times: int = 1) -> dict[str, Any]:
        """Let the sender work, each time a second later; its facts after that."""
        for _ in range(times):
            self.sender.work()
            self.clock.now_s += 1.0
        return self.sender.facts()

    def waiting(self) -> list[int]:
        """The ages of the batches in the spool."""
        return sorted(int(path.name[:20]) for path in self.spool.glob("*.json"))

    def close(self) -> None:
        self.sender.close()


def ages(requests: list[Any]) -> list[int]:
    """The ages of the batches that a server was sent, in order."""
    return [request.batch["created_ns"] for request in requests]


def warnings(caplog: Any) -> list[str]:
    """What cirron said."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "cirron" and record.levelno == logging.WARNING
    ]


def reason(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())
