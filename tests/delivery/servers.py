"""Servers on the loopback interface that answer as a test tells them, and remember what they were sent."""

import contextlib
import gzip
import json
import socket
import ssl
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """What came in one request."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    raw: bytes
    connection: int  # the client's port: the same for requests on one connection

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw

    @property
    def batch(self) -> dict[str, Any]:
        return json.loads(self.body)


Script = Callable[["_Handler"], None]


class Server:
    """An HTTP server in a thread.

    `answers` are used up one a request; then `default` answers. An answer is a status, a tuple of status,
    headers and body, or a function of the handler that does whatever it likes.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.answers: deque[Any] = deque()
        self.default: Any = 200
        self.arrived = threading.Semaphore(0)  # one for each request
        self.ending = threading.Event()  # what hangs waits for it
        self.connections: list[socket.socket] = []
        self._http = _HttpServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = False  # so that closing waits for them
        self._http.owner = self  # type: ignore[attr-defined]
        if context is not None:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), name="test-server")
        self._thread.start()

    @property
    def port(self) -> int:
        return self._http.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.ending.set()
        self._http.shutdown()
        self._thread.join()
        for each in self.connections:
            _shut(each)
        self._http.server_close()


class _HttpServer(ThreadingHTTPServer):
    def handle_error(self, *args: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.owner.connections.append(self.request)

    def do_POST(self) -> None:
        owner = self.server.owner
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        owner.requests.append(Request(self.command, self.path, headers, body, self.client_address[1]))
        owner.arrived.release()
        answer = owner.answers.popleft() if owner.answers else owner.default
        if callable(answer):
            answer(self)
        else:
            self.answer(*(answer if isinstance(answer, tuple) else (answer,)))

    do_PUT = do_POST  # noqa: N815 - the name that the base class looks for

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


# ---- ways to behave badly ----


def hang(handler: _Handler) -> None:
    """Never answer, while the test lasts."""
    handler.server.owner.ending.wait()
    handler.close_connection = True


def half_close(handler: _Handler) -> None:
    """End the connection where the answer would begin."""
    handler.request.shutdown(socket.SHUT_WR)
    handler.close_connection = True


def garbage(handler: _Handler) -> None:
    """Answer something that is no HTTP."""
    handler.wfile.write(b"\x00\xff220 mail.example ESMTP\r\n\r\n")
    handler.close_connection = True


def break_off(status: int) -> Script:
    """Announce more of an answer than comes."""

    def answer(handler: _Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 %d Yes\r\nContent-Length: 1000\r\n\r\nnot all" % status)
        handler.close_connection = True

    return answer


def drip(handler: _Handler) -> None:
    """Answer correctly, a byte at a time."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok":
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()


# ---- TLS and proxies ----


def certificate(folder: Path, host: str) -> Path:
    """A new certificate for `host` with its key, in one file, signed by nobody but itself."""
    path = folder / f"{host}.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={host}",
            ),
            *("-addext", f"subjectAltName=DNS:{host}", "-keyout", path, "-out", folder / "public.pem"),
        ],
        check=True,
        capture_output=True,
    )
    with path.open("ab") as file:
        file.write((folder / "public.pem").read_bytes())
    return path


def tls_server(certificate: Path) -> Server:
    """A server that speaks TLS with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return Server(context)


class Proxy:
    """An HTTP proxy whose tunnels all lead to one port, whatever host is asked for."""

    def __init__(self, port: int) -> None:
        self.asked_for: list[str] = []
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for each in self._open:
            _shut(each)
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._open):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            self.asked_for.append(head.split(b"\r\n")[0].decode())
            target = socket.create_connection(("127.0.0.1", self._port))
            self._open += [client, target]
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for source, sink in ((client, target), (target, client)):
                self._threads.append(threading.Thread(target=_pump, args=(source, sink)))
                self._threads[-1].start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other end went first
        while data := source.recv(65536):
            sink.sendall(data)
    _shut(sink)


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed already
        each.shutdown(socket.SHUT_RDWR)
