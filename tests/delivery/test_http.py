"""One try to post a batch, against servers that behave in every way."""

import contextlib
import gzip
import logging
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cirron.delivery.http import HttpTransport
from cirron.delivery.outcome import AuthRefused, Delivered, Failed, NoRoute, Rejected
from delivery.servers import break_off, drip, garbage, half_close, hang
from delivery.setup import KEY

BATCH_ID = "b3" * 16
SMALL = b'{"schema_version": 1}\n'
LARGE = b'{"schema_version": 1, "spans": [' + b" " * 5000 + b"]}\n"


@pytest.fixture
def http(server):
    transport = HttpTransport(server.url, KEY, "1.0.0")
    yield transport
    transport.close()


def test_a_batch_arrives_as_it_lies_on_the_disk_with_the_headers_of_the_contract(http, server):
    assert http.deliver(BATCH_ID, SMALL) == Delivered()
    (request,) = server.requests
    assert (request.method, request.path, request.raw) == ("POST", "/v1/traces", SMALL)
    promised = {
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "x-cirron-sdk-version": "1.0.0",
        "x-cirron-batch-id": BATCH_ID,
    }
    assert promised.items() <= request.headers.items()
    assert "content-encoding" not in request.headers


@pytest.mark.parametrize(("size_bytes", "encoding"), [(1023, None), (1024, "gzip"), (1025, "gzip")])
def test_a_batch_is_compressed_from_1024_bytes_up(size_bytes, encoding, http, server):
    content = b"{" + b" " * (size_bytes - 2) + b"}"
    http.deliver(BATCH_ID, content)
    (request,) = server.requests
    assert request.headers.get("content-encoding") == encoding
    assert request.body == content


def test_a_batch_that_is_sent_again_is_the_same_to_the_byte(http, server):
    server.answers += [500]
    http.deliver(BATCH_ID, LARGE)
    http.deliver(BATCH_ID, LARGE)
    first, second = server.requests
    assert first.raw == second.raw
    assert gzip.decompress(first.raw) == LARGE


def test_batches_share_a_connection_whatever_the_answer(http, server):
    server.answers += [200, (400, {}, b"no"), (500, {}, b"x" * 3000)]
    for _ in range(4):
        http.deliver(BATCH_ID, SMALL)
    assert len({request.connection for request in server.requests}) == 1


def test_a_timeout_is_for_a_whole_batch_and_for_each_piece_of_a_snapshot_file(server, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"tensors")
    http = HttpTransport(server.url, KEY, "1.0.0", timeout_s=0.3)
    server.default = drip_for_long
    assert http.deliver(BATCH_ID, SMALL) == Failed("timed out after 300ms")
    assert http.put_file("a7" * 16, tmp_path / "a.safetensors") == Delivered()
    http.close()


def drip_for_long(handler):
    """Take much longer than the timeout, and for each byte much less."""
    with contextlib.suppress(OSError):  # the other end has had enough
        for byte in b"HTTP/1.1 200 OK\r\nX-Padding: 1\r\nContent-Length: 0\r\n\r\n":
            handler.wfile.write(bytes([byte]))
            handler.server.owner.ending.wait(0.02)
    handler.close_connection = True


def test_an_answer_without_an_end_costs_its_connection_and_nothing_else(http, server):
    server.answers += [(400, {}, b"x" * 1_000_000)]
    assert isinstance(http.deliver(BATCH_ID, SMALL), Rejected)
    assert http.deliver(BATCH_ID, SMALL) == Delivered()
    assert len({request.connection for request in server.requests}) == 2


def test_a_path_of_the_endpoint_is_kept(server):
    http = HttpTransport(server.url + "/tenant/7/", KEY, "1.0.0", path="/api/traces")
    http.deliver(BATCH_ID, SMALL)
    http.close()
    assert server.requests[0].path == "/tenant/7/api/traces"
    assert http.target == server.url + "/tenant/7/api/traces"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (half_close, "RemoteProtocolError: Server disconnected without sending a response."),
        (garbage, "RemoteProtocolError: illegal status line"),
        ((429, {"Retry-After": "9"}, b"slow down"), "429 Too Many Requests: slow down"),
        ((503, {}, b""), "503 Service Unavailable"),
    ],
)
def test_a_server_in_trouble_is_a_failure_and_the_next_try_a_new_one(behaviour, reason, http, server):
    server.answers += [behaviour]
    outcome = http.deliver(BATCH_ID, SMALL)
    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith(reason)
    assert http.deliver(BATCH_ID, SMALL) == Delivered()


def test_what_a_server_took_counts_though_its_answer_breaks_off(http, server):
    server.answers += [break_off(200), break_off(500)]
    assert http.deliver(BATCH_ID, SMALL) == Delivered()
    assert http.deliver(BATCH_ID, SMALL) == Failed("500 Internal Server Error: not all", status=500)


def test_a_slow_answer_is_an_answer(http, server):
    server.answers += [drip]
    assert http.deliver(BATCH_ID, SMALL) == Delivered()


def test_a_port_where_nobody_listens_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    http = HttpTransport(f"http://127.0.0.1:{port}", KEY, "1.0.0")
    assert http.deliver(BATCH_ID, SMALL) == Failed("ConnectError: [Errno 111] Connection refused")
    http.close()


def test_a_server_that_hangs_is_left_after_a_while(http, server, monkeypatch):
    monkeypatch.setattr("cirron.delivery.http.TRANSFER_S", 0.05)
    server.answers += [hang]
    assert http.deliver(BATCH_ID, SMALL) == Failed("ReadTimeout: timed out")


def test_a_try_can_be_interrupted_while_the_server_hangs(http, server):
    server.answers += [hang]
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(http.deliver(BATCH_ID, SMALL)))
    thread.start()
    server.arrived.acquire()
    http.interrupt()
    thread.join()
    assert outcomes == [Failed("interrupted before the server answered")]


def test_an_interruption_holds_until_the_transport_is_closed(http):
    http.interrupt()
    assert http.deliver(BATCH_ID, SMALL) == Failed("interrupted before the server answered")
    http.close()
    assert http.deliver(BATCH_ID, SMALL) == Delivered()


def test_a_redirect_is_not_followed(http, server):
    server.answers += [(307, {"Location": "/v1/elsewhere"}, b"")]
    outcome = http.deliver(BATCH_ID, SMALL)
    assert isinstance(outcome, NoRoute)
    assert "/v1/elsewhere" in outcome.reason
    assert len(server.requests) == 1


def test_a_key_that_a_server_repeats_is_not_shown(http, server):
    said = f"no such key: {KEY}".encode()
    server.answers += [(400, {}, said), (302, {"Location": f"https://x/?k={KEY}"}, b""), (500, {}, said)]
    shown = [repr(http.deliver(BATCH_ID, SMALL)) for _ in range(3)]
    assert [text.count("***") for text in shown] == [1, 1, 1]
    assert KEY not in "".join(shown)


def test_a_key_that_an_answer_of_garbage_repeats_is_not_shown(http, server):
    def repeat(handler):
        handler.wfile.write(handler.headers["authorization"].encode() + b"\r\n\r\n")
        handler.close_connection = True

    server.answers += [repeat]
    shown = repr(http.deliver(BATCH_ID, SMALL))
    assert "illegal status line" in shown
    assert KEY not in shown


def test_a_key_cut_off_by_the_limit_of_a_reason_is_not_shown_in_part(http, server):
    server.answers += [(400, {}, b"x" * 185 + KEY.encode())]
    assert KEY[:4] not in repr(http.deliver(BATCH_ID, SMALL))


def test_the_key_is_not_in_what_the_transport_shows_of_itself(http):
    assert KEY not in repr(http)
    assert KEY not in repr(vars(http))


def test_nothing_is_logged_while_the_user_logs_everything(http, server, caplog):
    caplog.set_level(logging.DEBUG)
    server.answers += [200, half_close]
    http.deliver(BATCH_ID, SMALL)
    http.deliver(BATCH_ID, SMALL)
    http.close()
    assert caplog.records == []


def test_the_users_own_requests_are_logged_as_ever(http, server, caplog):
    import httpx

    caplog.set_level(logging.INFO)
    http.deliver(BATCH_ID, SMALL)
    httpx.post(server.url, content=b"")
    assert [record.name for record in caplog.records] == ["httpx"]


def test_loggers_are_left_as_they_were(http):
    http.deliver(BATCH_ID, SMALL)
    http.close()
    assert [logging.getLogger(name).filters for name in ("httpx", "httpcore.http11")] == [[], []]


def test_a_refused_key_is_told_apart(http, server):
    server.answers += [401, 403]
    assert [http.deliver(BATCH_ID, SMALL) for _ in range(2)] == [AuthRefused(401), AuthRefused(403)]


def test_httpx_is_imported_at_the_first_try_only():
    said = subprocess.run(
        [sys.executable, "-c", "import sys, cirron, cirron.delivery.http; print('httpx' in sys.modules)"],
        capture_output=True,
        text=True,
    )
    assert said.stdout == "False\n", said.stderr


def test_a_snapshot_file_is_put_under_its_span(http, server, tmp_path):
    path = tmp_path / "weights #1.safetensors"
    path.write_bytes(b"\x00tensors" * 20_000)
    assert http.put_file("ab" * 16, path) == Delivered()
    (request,) = server.requests
    assert (request.method, request.path) == ("PUT", f"/v1/snapshots/{'ab' * 16}/weights%20%231.safetensors")
    assert request.raw == path.read_bytes()
    assert request.headers["content-type"] == "application/octet-stream"
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_snapshot_file_that_is_gone_is_an_error_of_its_own(http):
    with pytest.raises(FileNotFoundError):
        http.put_file("ab" * 16, Path("nowhere.safetensors"))
