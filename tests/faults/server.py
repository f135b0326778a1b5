"""A server that takes batches, or does to its clients what servers do on bad days."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from faults.fault import Act, Stage

KEY = "faults-key-3f9d2c"  # looked for in everything the program leaves behind
TIMEOUT_S = 20

STORM = ["429 Too Many Requests", "500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable"]

Serving = Callable[[], contextlib.AbstractContextManager["Server"]]
Answer = Callable[["Server", socket.socket, dict[str, str], bytes], None]


class Server:
    """Answers the first requests as `bad` does, so many or for so long, and all later ones with 200.

    Attributes:
        environ: by which the program finds it.
        accepted: the batches that were acknowledged, by batch id, as JSON.
        differing: ids of batches that came a second time with other bytes.
        request_count: requests so far, and connections that came to nothing.
    """

    def __init__(
        self, bad: Answer, times: float, seconds: float = 0, context: ssl.SSLContext | None = None
    ) -> None:
        self.accepted: dict[str, bytes] = {}
        self.differing: list[str] = []
        self._bad = bad
        self._bad_left = times
        self._bad_until_s = time.monotonic() + seconds
        self._context = context
        self._seen: dict[str, bytes] = {}
        self.request_count = 0
        self._changed = threading.Condition()
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "http" if context is None else "https"
        self.environ = {
            "CIRRON_API_KEY": KEY,
            "CIRRON_API_ENDPOINT": f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}",
        }
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Hang up on everybody."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def wait_for_requests(self, number: int) -> None:
        """Return when so many have come; a refused connection counts."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.request_count >= number, TIMEOUT_S), "nobody came"

    def wait_for_batches(self, number: int, timeout_s: float) -> None:
        """Return when so many batches have been acknowledged."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.accepted) >= number, timeout_s), "no batch came"

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """Acknowledge a batch."""
        content = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        with self._changed:
            self.accepted[json.loads(content)["batch_id"]] = content
            self._changed.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with self._secured(connection) as secured, secured.makefile("rb") as stream:
                while (request := _read(stream)) is not None:
                    self._answer(secured, *request)
        except (OSError, ValueError):
            self.count()  # a handshake that failed, or a client that hung up

    def _secured(self, connection: socket.socket) -> socket.socket:
        return (
            connection if self._context is None else self._context.wrap_socket(connection, server_side=True)
        )

    def _answer(self, connection: socket.socket, headers: dict[str, str], body: bytes) -> None:
        batch_id = headers["x-cirron-batch-id"]
        if self._seen.setdefault(batch_id, body) != body:
            self.differing.append(batch_id)
        bad = self._bad_left > 0 or time.monotonic() < self._bad_until_s
        self._bad_left -= bad
        try:
            (self._bad if bad else accept)(self, connection, headers, body)
        finally:
            self.count()

    def count(self) -> None:
        """One more request, in whatever way it ended."""
        with self._changed:
            self.request_count += 1
            self._changed.notify_all()


def _read(stream: socket.SocketIO) -> tuple[dict[str, str], bytes] | None:
    if not stream.readline():
        return None
    lines = iter(lambda: stream.readline().decode().strip(), "")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return headers, stream.read(int(headers["content-length"]))


# ---- answers ----


def accept(server: Server, connection: socket.socket, headers: dict[str, str], body: bytes) -> None:
    """200."""
    server.take(headers, body)
    say("200 OK")(server, connection, headers, body)


def say(status: str, *more: str, body: str = "{}") -> Answer:
    """An answer with a status, and further header lines."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more, "", body]
    return lambda server, connection, headers, _: connection.sendall("\r\n".join(lines).encode())


def storm(server: Server, connection: socket.socket, headers: dict[str, str], body: bytes) -> None:
    """What an overloaded service says, in turn."""
    say(STORM[server.request_count % len(STORM)])(server, connection, headers, body)


def hang(server: Server, connection: socket.socket, headers: dict[str, str], body: bytes) -> None:
    """Never an answer, until the client or the server is closed."""
    server.count()
    connection.recv(1)


def hang_up(server: Server, connection: socket.socket, headers: dict[str, str], body: bytes) -> None:
    """Close instead of answering."""
    connection.shutdown(socket.SHUT_RDWR)


def half_close(server: Server, connection: socket.socket, headers: dict[str, str], body: bytes) -> None:
    """Take the batch, and break off in the middle of saying so."""
    server.take(headers, body)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    connection.shutdown(socket.SHUT_WR)


def talk_nonsense(server: Server, connection: socket.socket, headers: dict[str, str], body: bytes) -> None:
    """Bytes that are no HTTP."""
    connection.sendall(bytes(range(256)) * 8)
    connection.shutdown(socket.SHUT_RDWR)


def crawl(server: Server, connection: socket.socket, headers: dict[str, str], body: bytes) -> None:
    """A good answer that takes its time over each byte."""
    server.take(headers, body)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":
        connection.sendall(bytes([byte]))
        threading.Event().wait(0.01)


# ---- how a fault uses it ----


def bad(answer: Answer, times: float = float("inf"), seconds: float = 0) -> Serving:
    """A server that answers badly always, so many times, or for so long."""

    @contextmanager
    def serving() -> Iterator[Server]:
        server = Server(answer, times, seconds)
        try:
            yield server
        finally:
            server.close()

    return serving


@contextmanager
def with_wrong_certificate() -> Iterator[Server]:
    """A server with a certificate that nobody vouches for."""
    with TemporaryDirectory() as folder:
        certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        command = [
            "openssl",
            "req",
            "-x509",
            "-nodes",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ]
        command += ["-subj", "/CN=localhost", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = Server(accept, 0, context=context)
    try:
        yield server
    finally:
        server.close()


class Absent:
    """The address of a server that is not there.

    Attributes:
        environ: by which the program looks for it.
        accepted: nothing.
    """

    def __init__(self, endpoint: str, **environ: str) -> None:
        self.environ = {"CIRRON_API_KEY": KEY, "CIRRON_API_ENDPOINT": endpoint, **environ}
        self.accepted: dict[str, bytes] = {}
        self.differing: list[str] = []


@contextmanager
def down() -> Iterator[Absent]:
    """A port at which nobody listens, held so that nobody begins to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield Absent(f"http://127.0.0.1:{held.getsockname()[1]}")


@contextmanager
def unknown_host() -> Iterator[Absent]:
    """A name that no server has; the domain is reserved for that."""
    yield Absent("https://traces.invalid")


@contextmanager
def behind_a_dead_proxy() -> Iterator[Absent]:
    """A proxy that is down."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield Absent("https://traces.invalid", HTTPS_PROXY=f"http://127.0.0.1:{held.getsockname()[1]}")


def requests(number: int) -> Act:
    """Wait until the server has had so many."""

    def act(stage: Stage, pid: int) -> None:
        if isinstance(stage.server, Server):
            stage.server.wait_for_requests(number)

    return act


def batches(number: int, timeout_s: float = TIMEOUT_S) -> Act:
    """Wait until the server has acknowledged so many."""

    def act(stage: Stage, pid: int) -> None:
        if isinstance(stage.server, Server):
            stage.server.wait_for_batches(number, timeout_s)

    return act
