"""Certificates are checked, and proxies from the environment are used."""

import threading

import pytest

from cirron.delivery.http import HttpTransport
from cirron.delivery.outcome import Delivered, Failed
from delivery.servers import Proxy, certificate, hang, tls_server
from delivery.setup import KEY

BATCH_ID = "b3" * 16
BATCH = b'{"schema_version": 1}\n'
HOST = "collector.example"


@pytest.fixture
def own_certificate(tmp_path):
    return certificate(tmp_path, HOST)


@pytest.fixture
def tls(own_certificate):
    server = tls_server(own_certificate)
    yield server
    server.stop()


@pytest.fixture
def proxy(tls, monkeypatch):
    """All https requests go through it, and end at `tls`."""
    proxy = Proxy(tls.port)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    yield proxy
    proxy.stop()


def post(url):
    http = HttpTransport(url, KEY, "1.0.0")
    try:
        return http.deliver(BATCH_ID, BATCH)
    finally:
        http.close()


def test_a_certificate_that_nobody_vouches_for_is_a_failure_and_no_request(tls):
    outcome = post(f"https://127.0.0.1:{tls.port}")
    assert isinstance(outcome, Failed)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.reason
    assert tls.requests == []


def test_a_certificate_for_another_host_is_a_failure(tls, own_certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(own_certificate))
    outcome = post(f"https://127.0.0.1:{tls.port}")
    assert isinstance(outcome, Failed)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.reason


def test_a_proxy_of_the_environment_passes_on_what_only_the_server_can_read(
    proxy, tls, own_certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(own_certificate))
    assert post(f"https://{HOST}") == Delivered()
    assert proxy.asked_for == [f"CONNECT {HOST}:443 HTTP/1.1"]
    assert tls.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_try_over_tls_can_be_interrupted(proxy, tls, own_certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(own_certificate))
    tls.default = hang
    http = HttpTransport(f"https://{HOST}", KEY, "1.0.0")
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(http.deliver(BATCH_ID, BATCH)))
    thread.start()
    tls.arrived.acquire()
    http.interrupt()
    thread.join()
    http.close()
    assert outcomes == [Failed("interrupted before the server answered")]


def test_no_proxy_is_respected(proxy, tls, own_certificate, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    post(f"https://127.0.0.1:{tls.port}")
    assert proxy.asked_for == []


def test_plain_http_to_this_machine_goes_past_any_proxy(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert post(server.url) == Delivered()


def test_a_proxy_that_cannot_be_used_is_a_failure(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "gopher://me:hunter2@proxy")
    outcome = post("https://collector.example")
    assert isinstance(outcome, Failed)
    assert "proxy" in outcome.reason.lower()
    assert "hunter2" not in outcome.reason
