"""A platform on the loopback interface: logins, trace ingest, and every way to misbehave that a test asks for."""

import contextlib
import itertools
import json
import os
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from delivery.servers import Request, break_off, drip, garbage, half_close, hang

__all__ = ["Platform", "break_off", "drip", "echo", "garbage", "half_close", "hang", "held"]

Answer = tuple[int, dict[str, Any]]
Script = Callable[["_Handler"], None]

DEVICE_CODE, DEVICE_TOKEN = "/api/auth/device/code", "/api/auth/device/token"
REFRESH, ME = "/api/auth/refresh", "/api/auth/me"
HEALTH, TRACES, SNAPSHOTS = "/api/health", "/api/traces", "/v1/snapshots/"


class Platform:
    """A server in a thread, with what it knows and what it was sent as plain attributes.

    `answers[path]` are used up one a request to that path, before the route itself answers: a status, a tuple of
    status, headers and body, a function of the handler that does whatever it likes, or None for the route's own.

    Attributes:
        access_tokens: the tokens that are accepted; `issue` adds a pair.
        refresh_tokens: those that are good for one refresh each.
        keeps_refresh_tokens: a refresh gives no new refresh token, and the old one stays good.
        lifetime_s: of the access tokens it gives.
        user: who `/api/auth/me` says one is.
        missing: routes that answer 404.
        polls: what the polls for a device's token give, one each: an error of RFC 8628; then the token comes.
        device_interval_s, device_lifetime_s: what the device flow announces.
        requests: all that came in, in order.
        batches: by batch id, the batches that were accepted.
        snapshots: by (span id, file name), the snapshot files that were accepted.
    """

    def __init__(self) -> None:
        self.access_tokens: set[str] = set()
        self.refresh_tokens: set[str] = set()
        self.keeps_refresh_tokens = False
        self.lifetime_s = 3600
        self.user: dict[str, Any] = {"name": "Ada Lovelace", "email": "ada@example.com"}
        self.missing: set[str] = set()
        self.polls: deque[str] = deque()
        self.device_interval_s: float = 0
        self.device_lifetime_s: float = 600
        self.answers: defaultdict[str, deque[Any]] = defaultdict(deque)
        self.requests: list[Request] = []
        self.batches: dict[str, dict[str, Any]] = {}
        self.snapshots: dict[tuple[str, str], bytes] = {}
        self.arrived = threading.Semaphore(0)  # one for each request
        self.ending = threading.Event()  # what hangs waits for it
        self.connections: list[socket.socket] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()  # requests come in threads of their own
        self._http = _HttpServer(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), name="test-platform")
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def requests_to(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def issue(self) -> dict[str, Any]:
        """A new pair of tokens that will be accepted, as RFC 6749 words it."""
        number = next(self._numbers)
        access, refresh = f"access-{number}-{os.urandom(4).hex()}", f"refresh-{number}-{os.urandom(4).hex()}"
        self.access_tokens.add(access)
        self.refresh_tokens.add(refresh)
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": self.lifetime_s,
            "token_type": "Bearer",
        }

    def sign_in(self, expires_in_s: float = 3600, **config: Any) -> str:
        """Leave a login in the config file of the test's home, as `cirron auth login` would; the access token.

        Args:
            expires_in_s: how long the access token lasts by what the file says.
            config: more keys of the file, such as `timeout=1000`.
        """
        pair = self.issue()
        expires = datetime.now(UTC) + timedelta(seconds=expires_in_s)
        auth = {
            "accessToken": pair["access_token"],
            "refreshToken": pair["refresh_token"],
            "expiresAt": expires.isoformat(timespec="seconds").replace("+00:00", "Z"),
        }
        path = Path(os.environ["HOME"], ".cirron", "config.json")
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps({"apiUrl": self.url, "auth": auth, **config}), encoding="utf-8")
        return str(pair["access_token"])

    def stop(self) -> None:
        self.ending.set()
        self._http.shutdown()
        self._thread.join()
        for each in self.connections:
            with contextlib.suppress(OSError):  # closed already
                each.shutdown(socket.SHUT_RDWR)
        self._http.server_close()

    # ---- what the routes do ----

    def device_code(self, request: Request) -> Answer:
        return 200, {
            "device_code": "device-4711",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.url}/device",
            "verification_uri_complete": f"{self.url}/device?user_code=WDJB-MJHT",
            "expires_in": self.device_lifetime_s,
            "interval": self.device_interval_s,
        }

    def device_token(self, request: Request) -> Answer:
        if json.loads(request.body).get("device_code") != "device-4711":
            return 400, {"error": "invalid_grant"}
        if self.polls:
            return 400, {"error": self.polls.popleft()}
        return 200, self.issue()

    def refresh(self, request: Request) -> Answer:
        token = json.loads(request.body)["refresh_token"]
        if token not in self.refresh_tokens:
            return 401, {"error": "invalid_grant"}
        pair = self.issue()
        if self.keeps_refresh_tokens:
            self.refresh_tokens.discard(pair.pop("refresh_token"))
        else:
            self.refresh_tokens.discard(token)
        return 200, pair

    def me(self, request: Request) -> Answer:
        return (200, self.user) if self._knows(request) else (401, {"error": "invalid_token"})

    def health(self, request: Request) -> Answer:
        return 200, {"status": "ok"}

    def ingest(self, request: Request) -> Answer:
        if not self._knows(request):
            return 401, {"error": "invalid_token"}
        batch = request.batch
        self.batches[batch["batch_id"]] = batch
        return 202, {"accepted": True}

    def take_snapshot(self, request: Request) -> Answer:
        if not self._knows(request):
            return 401, {"error": "invalid_token"}
        span_id, name = request.path.removeprefix(SNAPSHOTS).split("/")
        self.snapshots[unquote(span_id), unquote(name)] = request.body
        return 200, {}

    def _knows(self, request: Request) -> bool:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and token in self.access_tokens

    def _route(self, request: Request) -> Callable[[Request], Answer] | None:
        if request.path in self.missing:
            return None
        if request.path.startswith(SNAPSHOTS) and request.method == "PUT":
            return self.take_snapshot
        return {
            ("POST", DEVICE_CODE): self.device_code,
            ("POST", DEVICE_TOKEN): self.device_token,
            ("POST", REFRESH): self.refresh,
            ("GET", ME): self.me,
            ("GET", HEALTH): self.health,
            ("POST", TRACES): self.ingest,
        }.get((request.method, request.path))

    def respond(self, request: Request) -> Answer:
        """What the route answers."""
        route = self._route(request)
        if route is None:
            return 404, {"error": "not_found"}
        with self._lock:
            return route(request)

    def scripted(self, request: Request) -> Any:
        """What a test wants answered instead; None for nothing."""
        with self._lock:
            self.requests.append(request)
            answers = self.answers[request.path]
            return answers.popleft() if answers else None


def echo(handler: "_Handler") -> None:
    """Answer with what was sent, and not by the rules of HTTP."""
    said = handler.headers.get("authorization", "").encode() + handler.current.body
    handler.wfile.write(said + b"\r\n\r\n")
    handler.close_connection = True


def held(until: threading.Event) -> Script:
    """Answer as the route does, but only once the event has happened."""

    def answer(handler: "_Handler") -> None:
        while not until.wait(0.01) and not handler.server.owner.ending.is_set():
            pass
        handler.answer_as_the_route_does()

    return answer


class _HttpServer(ThreadingHTTPServer):
    owner: Platform
    daemon_threads = False  # so that closing waits for them
    request_queue_size = 64

    def handle_error(self, *args: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def setup(self) -> None:
        super().setup()
        self.server.owner.connections.append(self.request)

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = urlsplit(self.path).path
        self.current = Request(self.command, path, headers, body, self.client_address[1])
        answer = self.server.owner.scripted(self.current)
        self.server.owner.arrived.release()
        if callable(answer):
            answer(self)
        elif answer is None:
            self.answer_as_the_route_does()
        else:
            self.answer(*(answer if isinstance(answer, tuple) else (answer,)))

    do_GET = do_POST = do_PUT = handle_one  # noqa: N815 - the names that the base class looks for

    def answer_as_the_route_does(self) -> None:
        status, document = self.server.owner.respond(self.current)
        self.answer(status, {"Content-Type": "application/json"}, json.dumps(document).encode())

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""
