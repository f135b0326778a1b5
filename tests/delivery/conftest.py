"""A server, and a spool to send from."""

import threading

import pytest

from delivery.servers import Server
from delivery.setup import Delivery


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def delivery(tmp_path, server):
    """A sender on a spool with a fake clock, and `server` at the other end."""
    delivery = Delivery(tmp_path / ".cirron", server.url)
    yield delivery
    delivery.close()


@pytest.fixture(autouse=True)
def no_thread_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
