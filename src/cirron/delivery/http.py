"""Posts batches to a server, one try at a time: nothing is repeated, removed or waited for here."""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from cirron.delivery.answer import classify, readable
from cirron.delivery.endpoint import checked_api_key, checked_endpoint, is_plain_http
from cirron.delivery.forks import abandon_in_children, forks_put_off
from cirron.delivery.outcome import Failed, Outcome
from cirron.delivery.quiet import Quiet
from cirron.settings import Secret

if TYPE_CHECKING:
    import httpx

CONNECT_S = 5.0
TRANSFER_S = 30.0  # for each piece that is sent or received
KEEP_ALIVE_S = 60.0

GZIP_FROM_BYTES = 1024
GZIP_LEVEL = 6
GZIP_WBITS = 31  # zlib's number for a gzip header, which then has no time in it: the same bytes at each try

ANSWER_MAX_BYTES = 64 * 1024  # of an answer that is longer the connection is not used again
ANSWER_MAX_S = 5.0
PIECE_BYTES = 64 * 1024


class HttpTransport:
    """Hands batches and snapshot files to one server.

    Args:
        endpoint: the server's URL; plain http for this machine only.
        api_key: goes into each request and into no message, `repr` or log.
        sdk_version: what sends, for the server.
        path: the server's route for batches.
        timeout_s: for a whole batch, and for each piece of a snapshot file; by default only pieces have a limit,
            which a server that drips its answer can stretch.

    Raises:
        ValueError: the endpoint or the key cannot be used; the message shows neither a password nor the key.

    Example:
        transport = HttpTransport("https://app.cirron.com", api_key, "1.0.0")
        outcome = transport.deliver(batch_id, Path(name).read_bytes())
        transport.close()
    """

    def __init__(
        self,
        endpoint: str,
        api_key: str,
        sdk_version: str,
        path: str = "/v1/traces",
        timeout_s: float | None = None,
    ) -> None:
        self._endpoint = checked_endpoint(endpoint)
        self._key = Secret(checked_api_key(api_key))
        self._sdk_version = sdk_version
        self._path = path
        self._timeout_s = timeout_s
        self._client: httpx.Client | None = None
        self._quiet = Quiet()
        self._socket: socket.socket | None = None  # of the one connection, from the moment it stands
        self._interrupted = False
        self._timed_out = False
        abandon_in_children(self)

    @property
    def endpoint(self) -> str:
        """The server's URL."""
        return self._endpoint

    @property
    def path(self) -> str:
        """The server's route for batches."""
        return self._path

    @property
    def target(self) -> str:
        """The URL that batches are posted to."""
        return self._endpoint + self._path

    def deliver(self, batch_id: str, content: bytes) -> Outcome:
        """Post one batch.

        Args:
            batch_id: as in the file's name, by which a server can tell that it has the batch already.
            content: the file's bytes.
        """
        headers = {"Content-Type": "application/json", "X-Cirron-Batch-Id": batch_id}
        if len(content) >= GZIP_FROM_BYTES:
            headers["Content-Encoding"] = "gzip"
            content = zlib.compress(content, GZIP_LEVEL, GZIP_WBITS)
        with self._bounded():
            return self._try("POST", self._path, content, headers)

    def put_file(self, span_id: str, path: Path) -> Outcome:
        """Put one snapshot file of a span, under the file's name.

        Raises:
            OSError: the file cannot be read.
        """
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
            route = f"/v1/snapshots/{quote(span_id, safe='')}/{quote(path.name, safe='')}"
            pieces = _Pieces(file, size_bytes)
            outcome = self._try("PUT", route, iter(pieces), headers)
        if pieces.error is not None:
            raise pieces.error
        return outcome

    def use_key(self, api_key: str) -> bool:
        """Send with this key from now on; whether it is another one."""
        key = Secret(checked_api_key(api_key))
        if key == self._key:
            return False
        self.close()  # the connection would go on with the old one
        self._key = key
        return True

    def interrupt(self) -> None:
        """Have the try that is under way in another thread, and those until `close`, fail once connected."""
        self._interrupted = True
        self._hang_up()

    def close(self) -> None:
        """Close the connections; another try opens new ones."""
        self._interrupted = False
        client, self._client = self._client, None
        if client is not None:
            with self._quiet.here():
                client.close()
            self._quiet.remove()

    def abandon(self) -> None:
        """In a forked child: close the child's copies of the connections, and nothing of the parent's."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is closed already
                os.close(self._socket.detach())
        self._quiet.remove()

    # ---- one exchange ----

    def _try(
        self, method: str, route: str, content: bytes | Iterator[bytes], headers: dict[str, str]
    ) -> Outcome:
        try:
            with self._quiet.here(), self._answer(method, route, content, headers) as answer:
                body = self._beginning(answer)
                names = {name.lower(): self._scrub(value) for name, value in answer.headers.items()}
                return classify(answer.status_code, names, self._scrub_bytes(body), time.time())
        except Exception as error:  # noqa: BLE001 - the network and four libraries may raise anything
            return Failed(readable(self._scrub(self._why(error))))

    def _why(self, error: Exception) -> str:
        if self._timeout_s is not None and (self._timed_out or _is_timeout(error)):
            return f"timed out after {self._timeout_s * 1000:.0f}ms"
        return "interrupted before the server answered" if self._interrupted else _said(error)

    @contextlib.contextmanager
    def _bounded(self) -> Iterator[None]:
        """Hang up when the exchange takes longer than `timeout_s`."""
        if self._timeout_s is None:
            yield
            return
        timer = threading.Timer(self._timeout_s, self._run_out)
        timer.daemon = True  # an interrupt may keep it from being cancelled
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            if self._timed_out:
                self._timed_out = False
                self.close()  # the next try has a connection of its own

    def _run_out(self) -> None:
        self._timed_out = True
        self.interrupt()

    def _answer(
        self, method: str, route: str, content: bytes | Iterator[bytes], headers: dict[str, str]
    ) -> contextlib.AbstractContextManager[httpx.Response]:
        return self._opened().stream(
            method,
            self._endpoint + route,
            content=content,
            headers=headers,
            extensions={"trace": self._follow},
        )

    def _opened(self) -> httpx.Client:
        if self._client is None:
            with forks_put_off():
                self._client = self._open()
            self._quiet.install()
        return self._client

    def _open(self) -> httpx.Client:
        import httpx

        importlib.import_module("encodings.idna")  # otherwise imported at the first connection

        return httpx.Client(
            headers={
                "Authorization": f"Bearer {self._key}",
                "X-Cirron-SDK-Version": self._sdk_version,
                "User-Agent": f"cirron/{self._sdk_version.rpartition('/')[2]}",
                "Accept-Encoding": "identity",  # an answer of a line is not worth a decompressor
            },
            timeout=httpx.Timeout(self._timeout_s or TRANSFER_S, connect=self._timeout_s or CONNECT_S),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE_S),
            # Plain http is for this machine; through a proxy the key would leave it unencrypted.
            trust_env=not is_plain_http(self._endpoint),
        )

    def _follow(self, event: str, info: dict[str, Any]) -> None:
        """Called by httpcore at each step of an exchange."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._interrupted:
                self._hang_up()

    def _hang_up(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # the plain one speaks no TLS here

    @staticmethod
    def _beginning(answer: httpx.Response) -> bytes:
        """What the server has to say; that it breaks off or never ends does not change the status."""
        body = b""
        deadline_s = time.monotonic() + ANSWER_MAX_S
        with contextlib.suppress(Exception):
            for part in answer.iter_raw():
                body += part
                if len(body) > ANSWER_MAX_BYTES or time.monotonic() > deadline_s:
                    break
        return body

    def _scrub(self, text: str) -> str:
        return text.replace(self._key, "***")

    def _scrub_bytes(self, body: bytes) -> bytes:
        return body.replace(self._key.encode(), b"***")


class _Pieces:
    """The first `size_bytes` of a file, as announced, even if it grows meanwhile.

    Attributes:
        error: why the file could not be read to its end.
    """

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self.error: OSError | None = None
        self._file = file
        self._left_bytes = size_bytes

    def __iter__(self) -> Iterator[bytes]:
        while self._left_bytes > 0 and (piece := self._read()):
            self._left_bytes -= len(piece)
            yield piece

    def _read(self) -> bytes:
        try:
            return self._file.read(min(PIECE_BYTES, self._left_bytes))
        except OSError as error:
            self.error = error
            raise


def _is_timeout(error: Exception) -> bool:
    library = sys.modules.get("httpx")  # what cannot be imported has raised something else
    return library is not None and isinstance(error, library.TimeoutException)


def _said(error: Exception) -> str:
    """An error's own words, and its kind where they need it."""
    words = str(error)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
