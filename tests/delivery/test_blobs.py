"""Snapshot files go before the batch that names them."""

import json

import pytest

from delivery.setup import ages, warnings
from support.spool_files import SESSION_ID, batch, put, snapshot

URI = f"snapshots/{SESSION_ID}/weights.safetensors"


@pytest.fixture
def weights(delivery):
    path = delivery.output_dir / URI
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    return path


def write(delivery, number, *uris):
    snapshots = [snapshot(number * 10 + place, "w", blob_uri=uri) for place, uri in enumerate(uris)]
    delivery.write(number, snapshots=snapshots)


def sent(server):
    return [(request.method, request.path) for request in server.requests]


PUT = ("PUT", f"/v1/{URI}")
POST = ("POST", "/v1/traces")


def test_a_file_goes_first_and_once_and_stays_on_the_disk(delivery, server, weights):
    write(delivery, 1, URI, URI)
    write(delivery, 2, URI)
    delivery.round(2)
    assert sent(server) == [PUT, POST, POST]
    assert server.requests[0].raw == b"weights"
    assert weights.read_bytes() == b"weights"


def test_the_batch_waits_for_a_file_that_failed(delivery, server, weights):
    server.answers += [503]
    write(delivery, 1, URI)
    assert delivery.round()["failure_count"] == 1
    assert delivery.round()["sent_count"] == 1
    assert sent(server) == [PUT, PUT, POST]


def test_a_file_that_fails_for_ever_does_not_hold_up_the_batches_for_ever(delivery, server, weights):
    server.default = 500
    write(delivery, 1, URI)
    for _ in range(7):
        delivery.round()
        delivery.clock.now_s += 60
    assert sent(server) == [PUT] * 7
    server.answers += [500, 200]
    assert delivery.round()["sent_count"] == 1
    assert delivery.waiting() == []


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_that_takes_no_files_is_asked_once(status, delivery, server, weights, caplog):
    server.answers += [status]
    write(delivery, 1, URI)
    write(delivery, 2, f"snapshots/{SESSION_ID}/gradients.safetensors")
    delivery.round(2)
    assert sent(server) == [PUT, POST, POST]
    assert len(warnings(caplog)) == 1
    assert "takes no snapshot files" in caplog.text


def test_a_file_rejected_for_good_does_not_hold_up_its_batch(delivery, server, weights, caplog):
    server.answers += [413]
    write(delivery, 1, URI)
    write(delivery, 2, URI)
    delivery.round(2)
    assert sent(server) == [PUT, POST, POST]
    assert "413" in caplog.text


def test_a_file_that_is_gone_is_said_once(delivery, server, weights, caplog):
    weights.unlink()
    write(delivery, 1, URI)
    write(delivery, 2, URI)
    delivery.round(2)
    assert sent(server) == [POST, POST]
    assert len(warnings(caplog)) == 1
    assert f"{weights} was not sent, while its batch is: there is no such file" in caplog.text


def test_a_refused_key_stops_before_the_batch(delivery, server, weights):
    server.default = 401
    write(delivery, 1, URI)
    assert delivery.round(3)["stopped"] == "the API key was refused (401)"
    assert (sent(server), delivery.waiting()) == ([PUT], [1])


@pytest.mark.parametrize(
    "uri",
    [
        f"snapshots/{SESSION_ID}/missing.safetensors",
        "snapshots/../secret.txt",
        f"snapshots/{SESSION_ID}/../../secret.txt",
        "/etc/hostname",
        "secret.txt",
        f"snapshots/{SESSION_ID}/link.safetensors",
        f"snapshots/{SESSION_ID}/loop.safetensors",
        f"snapshots/{SESSION_ID}/zero\x00.safetensors",
        f"snapshots/{SESSION_ID}/..",
        "s3://bucket/weights.safetensors",
        f"snapshots/{SESSION_ID}/folder",
        f"snapshots/{SESSION_ID}/{'long' * 100}",
    ],
)
def test_only_files_that_lie_among_the_snapshots_are_sent(uri, delivery, server):
    (delivery.output_dir / "secret.txt").write_text("hunter2")
    folder = delivery.output_dir / "snapshots" / SESSION_ID
    folder.mkdir(parents=True)
    (folder / "link.safetensors").symlink_to(delivery.output_dir / "secret.txt")
    (folder / "loop.safetensors").symlink_to("loop.safetensors")
    (folder / "folder").mkdir()
    write(delivery, 1, uri)
    delivery.round()
    assert sent(server) == [POST]


def test_a_batch_of_another_writer_may_be_laid_out_in_any_way(delivery, server, weights):
    document = batch(1, snapshots=[snapshot(1, "w", blob_uri=URI)])
    put(delivery.spool, json.dumps(document, indent=2).encode())
    delivery.round()
    assert sent(server) == [PUT, POST]
    assert ages(server.requests[1:]) == [1]
