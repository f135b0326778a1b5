"""One pass over a spool, against servers that behave in every way."""

import contextlib
import gzip
import json
import os
import resource
import socket
import struct
import sys
import threading
from pathlib import Path

import pytest

from cirron.delivery.blobs import Blobs
from cirron.delivery.claim import SpoolClaim
from cirron.delivery.flush import Flush, Tried, Waiting, claimed
from cirron.delivery.http import HttpTransport
from cirron.delivery.outcome import AuthRefused, Failed, NoRoute
from cirron.delivery.sent import SentFolder
from cirron.delivery.settlement import Settlement
from cirron.errors import CirronError
from cirron.faults import Faults
from cirron.spool.files import list_files
from delivery.servers import half_close, hang
from delivery.setup import KEY, OTHER_SESSION, ages, reason
from support.spool_files import SESSION_ID, batch, put, snapshot

SPAN_ID = "a7" * 16
HUNG_S = 60


class Pass:
    """A spool, and flushes of it that do not really wait."""

    def __init__(self, output_dir, url):
        self.output_dir = output_dir
        self.spool = output_dir / "spool"
        self.spool.mkdir(parents=True)
        self.faults = Faults()
        self.pauses_s = []
        self.url = url
        self.timeout_s = 10.0

    def write(self, *numbers, **changes):
        for number in numbers:
            put(self.spool, batch(number, **{"session_id": OTHER_SESSION} | changes))

    def flush(self, retries=3):
        """Flush once; what it told, shortened to the ages of batches."""
        with self.opened(retries) as (flush, steps):
            self.told = list(steps)
        return flush

    @contextlib.contextmanager
    def opened(self, retries=3):
        names = [file.name for file in list_files(self.output_dir)]
        transport = HttpTransport(self.url, KEY, "cli/1.0.0", "/api/traces", self.timeout_s)
        blobs = Blobs(self.output_dir, transport.put_file, self.faults, max_failures=sys.maxsize)
        settlement = Settlement(self.spool, SentFolder(self.output_dir, None, self.faults))
        pauses = dict(sleep=self.pauses_s.append, chance=lambda: 1.0)
        flush = Flush(self.spool, names, transport, settlement, blobs, retries, **pauses)
        try:
            yield flush, flush.run()
        finally:
            transport.close()

    def waiting(self):
        return sorted(int(path.name[:20]) for path in self.spool.glob("*.json"))

    def errors(self):
        return [step.error for step in self.told if isinstance(step, Tried) and step.error]


def counts(flush):
    return (flush.uploaded, flush.failed, flush.skipped)


def name_of(number):
    return f"{number:020}-{number:032x}.json"


@pytest.fixture
def spool(tmp_path, server):
    return Pass(tmp_path / ".cirron", server.url)


def test_batches_leave_the_oldest_first_and_the_spool_is_empty_then(spool, server):
    spool.write(30, 4, 500)
    flush = spool.flush()
    assert ages(server.requests) == [4, 30, 500]
    assert (counts(flush), flush.is_complete, spool.waiting()) == ((3, 0, 0), True, [])
    assert spool.told == [Tried(name_of(number), None) for number in (4, 30, 500)]


def test_a_batch_is_sent_as_it_lies_on_the_disk_by_way_of_the_command_lines_route(spool, server):
    odd = b'{ "unknown": [1,2],\t"schema_version":1, "no": "transformation" }\n'
    put(spool.spool, odd)
    spool.flush()
    (request,) = server.requests
    assert (request.method, request.path, request.raw) == ("POST", "/api/traces", odd)
    assert request.headers["x-cirron-sdk-version"] == "cli/1.0.0"
    assert request.headers["x-cirron-batch-id"] == f"{1:032x}"
    assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_server_that_may_do_better_later_is_asked_again(status, spool, server):
    spool.write(1)
    server.answers += [status] * 3
    assert counts(spool.flush()) == (1, 0, 0)
    assert len(server.requests) == 4
    assert len({request.raw for request in server.requests}) == 1


def test_a_connection_that_breaks_is_tried_again(spool, server):
    spool.write(1)
    server.answers += [half_close]
    assert counts(spool.flush()) == (1, 0, 0)


def test_pauses_double_and_each_is_told_before_it_begins(spool, server):
    spool.write(1)
    server.answers += [500] * 3
    spool.flush()
    waits = [step for step in spool.told if isinstance(step, Waiting)]
    assert [round(wait.pause_s, 1) for wait in waits] == [0.5, 1.0, 2.0]
    assert {wait.reason for wait in waits} == {"500 Internal Server Error"}
    assert spool.pauses_s == pytest.approx([wait.pause_s for wait in waits], abs=0.2)


def test_retry_after_decides_how_long_a_pause_is(spool, server):
    spool.write(1)
    server.answers += [(429, {"Retry-After": "17"}), (503, {"Retry-After": "99999"})]
    spool.flush()
    assert [round(pause_s) for pause_s in spool.pauses_s] == [17, 300]


def test_as_many_retries_as_were_asked_for(spool, server):
    spool.write(1)
    server.default = 500
    spool.flush(retries=0)
    assert len(server.requests) == 1
    spool.flush(retries=5)
    assert len(server.requests) == 1 + 6


def test_a_batch_that_the_server_fails_at_does_not_keep_the_others(spool, server):
    spool.write(1, 2, 3)
    server.answers += [500, 200, 200]
    flush = spool.flush(retries=0)
    assert (counts(flush), spool.waiting()) == ((2, 1, 0), [1])
    assert spool.errors() == [f"Server did not take {name_of(1)}: 500 Internal Server Error"]
    assert not flush.is_complete


def test_two_batches_in_a_row_that_the_server_fails_at_end_it(spool, server):
    spool.write(1, 2, 3, 4, 5)
    server.answers += [500, 200, 500, 500]
    flush = spool.flush(retries=0)
    assert (counts(flush), spool.waiting()) == ((1, 3, 1), [1, 3, 4, 5])
    assert isinstance(flush.stopped, Failed)


def test_a_server_that_has_had_enough_is_left_alone(spool, server):
    spool.write(1, 2)
    server.default = 429
    assert counts(spool.flush(retries=1)) == (0, 1, 1)
    assert spool.errors() == [f"Server did not take {name_of(1)}: 429 Too Many Requests"]


def test_nobody_there_ends_it_after_the_last_retry(spool):
    spool.write(1, 2, 3)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        spool.url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    flush = spool.flush(retries=2)
    assert (counts(flush), flush.left, len(spool.pauses_s)) == ((0, 1, 2), 2, 2)
    (error,) = spool.errors()
    assert error.startswith(f"Network error uploading {name_of(1)}: ConnectError: ")


def drip_for_long(handler):
    """Answer a byte at a time, each sooner than a timeout for single pieces would end."""
    with contextlib.suppress(OSError):  # the other end has had enough
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Padding: 1\r\n" * 10_000:
            handler.wfile.write(bytes([byte]))
            handler.server.owner.ending.wait(0.02)
    handler.close_connection = True


@pytest.mark.parametrize("misbehave", [hang, drip_for_long])
def test_the_timeout_holds_for_an_answer_that_does_not_come_to_its_end(misbehave, spool, server):
    spool.write(1)
    spool.timeout_s = 0.3
    server.default = misbehave
    spool.flush(retries=1)
    for _ in range(2):  # on a busy machine they reach the server when nobody waits for an answer any more
        assert server.arrived.acquire(timeout=HUNG_S)
    assert len(server.requests) == 2
    assert spool.errors() == [f"Network error uploading {name_of(1)}: timed out after 300ms"]


def test_a_batch_gets_through_on_a_new_connection_after_a_timeout(spool, server):
    spool.write(1)
    spool.timeout_s = 0.3
    server.answers += [hang]
    assert counts(spool.flush()) == (1, 0, 0)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_ends_it(status, spool, server):
    spool.write(1, 2)
    server.default = status
    flush = spool.flush()
    assert (counts(flush), spool.waiting(), len(server.requests)) == ((0, 1, 1), [1, 2], 1)
    assert spool.errors() == [f"Auth rejected ({status}) for {name_of(1)}. Run cirron auth login."]
    assert flush.stopped == AuthRefused(status)


def test_a_platform_without_the_route_ends_it(spool, server):
    spool.write(1, 2)
    server.default = 404
    flush = spool.flush()
    assert (spool.waiting(), len(server.requests)) == ([1, 2], 1)
    assert spool.errors() == [
        f"Ingest route /api/traces not available on {server.url} (404). Platform may not have shipped the route yet."
    ]
    assert isinstance(flush.stopped, NoRoute)


def test_a_redirect_is_not_followed(spool, server):
    spool.write(1)
    server.default = (307, {"Location": f"{server.url}/elsewhere"})
    spool.flush()
    assert [request.path for request in server.requests] == ["/api/traces"]
    (error,) = spool.errors()
    assert (
        f"not available on {server.url} (307 Temporary Redirect: a redirect to {server.url}/elsewhere"
        in error
    )
    assert error.endswith("See cirron config --get apiUrl.")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_rejected_for_good_is_set_aside_and_the_rest_is_sent(status, spool, server):
    spool.write(1, 2)
    server.answers += [(status, {}, b"no marks")]
    flush = spool.flush()
    assert (counts(flush), spool.waiting(), len(server.requests)) == ((1, 1, 0), [], 2)
    rejected = spool.spool / "rejected"
    said = reason(rejected / name_of(1).replace(".json", ".reason.json"))
    assert said["status"] == status
    assert said["reason"].endswith(": no marks")
    (error,) = spool.errors()
    assert error.startswith(
        f"Server rejected {name_of(1)} for good: {said['reason']}. It lies in {rejected} now"
    )
    assert not flush.is_complete


def test_what_cannot_be_set_aside_stays_and_the_rest_is_sent(spool, server):
    spool.write(1, 2)
    (spool.spool / "rejected").write_text("in the way")
    server.answers += [400]
    assert counts(spool.flush()) == (1, 1, 0)
    assert spool.waiting() == [1]
    assert spool.errors()[0].endswith(f"Setting it aside in {spool.spool / 'rejected'} failed: File exists")


def test_a_reason_for_which_there_is_no_room_is_said_and_none_is_left_by_half(spool, server):
    spool.write(1)
    server.answers += [400]
    with files_of_at_most(10):
        assert counts(spool.flush()) == (0, 1, 0)
    rejected = spool.spool / "rejected"
    assert [path.name for path in rejected.iterdir()] == [name_of(1)]
    assert spool.errors()[0].endswith(
        f"It lies in {rejected} now, but the reason could not be kept beside it: File too large"
    )


@contextlib.contextmanager
def files_of_at_most(size_bytes):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_batch_that_vanishes_meanwhile_is_skipped(spool, server):
    spool.write(1, 2)
    server.answers += [lambda handler: [(spool.spool / name_of(2)).unlink(), handler.answer(200)]]
    flush = spool.flush()
    assert (counts(flush), flush.left, flush.is_complete) == ((1, 0, 1), 0, True)


def test_a_batch_that_somebody_deletes_while_it_is_sent_is_uploaded(spool, server):
    spool.write(1)
    server.answers += [lambda handler: [(spool.spool / name_of(1)).unlink(), handler.answer(200)]]
    flush = spool.flush()
    assert (counts(flush), flush.is_complete, spool.errors()) == ((1, 0, 0), True, [])


def test_batches_that_come_in_meanwhile_wait_for_the_next_time(spool, server):
    spool.write(1)
    server.answers += [lambda handler: [spool.write(2), handler.answer(200)]]
    assert counts(spool.flush()) == (1, 0, 0)
    assert spool.waiting() == [2]


def test_a_file_that_no_batch_can_be_as_large_as_is_not_read(spool, server):
    spool.write(2)
    with (spool.spool / name_of(1)).open("wb") as file:
        file.truncate(300 * 1024 * 1024)
    assert counts(spool.flush()) == (1, 1, 0)
    assert "larger than the 268,435,456 bytes" in spool.errors()[0]
    assert spool.waiting() == [1]


def test_fifty_megabytes_are_sent(spool, server):
    content = json.dumps(batch(1, padding="ab" * 25_000_000)).encode()
    put(spool.spool, content)
    assert counts(spool.flush()) == (1, 0, 0)
    assert gzip.decompress(server.requests[0].raw) == content


def test_a_server_that_hangs_up_in_the_middle_of_a_batch_gets_it_again(spool):
    put(spool.spool, json.dumps(batch(1, padding=os.urandom(2_000_000).hex())).encode())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        spool.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=hang_up_early, args=(listener, 3))
        thread.start()
        flush = spool.flush(retries=2)
        thread.join()
    assert (counts(flush), spool.waiting()) == ((0, 1, 0), [1])
    assert spool.errors()[0].startswith(f"Network error uploading {name_of(1)}: ")


def hang_up_early(listener, times):
    for _ in range(times):
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )  # a reset, not an end
        connection.close()


# ---- snapshots, and batches of sessions that go on ----


def write_with_snapshot(spool, number):
    folder = spool.output_dir / "snapshots" / SPAN_ID
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.safetensors").write_bytes(b"tensors")
    uri = f"snapshots/{SPAN_ID}/a.safetensors"
    spool.write(number, snapshots=[snapshot(number, "layer.weight", blob_uri=uri)])


def test_a_snapshot_file_goes_before_its_batch_and_once(spool, server):
    write_with_snapshot(spool, 1)
    write_with_snapshot(spool, 2)
    assert counts(spool.flush()) == (2, 0, 0)
    assert [(request.method, request.path) for request in server.requests] == [
        ("PUT", f"/v1/snapshots/{SPAN_ID}/a.safetensors"),
        ("POST", "/api/traces"),
        ("POST", "/api/traces"),
    ]
    assert server.requests[0].raw == b"tensors"


def test_a_batch_waits_for_its_snapshot_file_if_need_be_for_the_next_flush(spool, server):
    write_with_snapshot(spool, 1)
    server.answers += [500, 500, 500]
    assert counts(spool.flush(retries=2)) == (0, 1, 0)
    assert spool.errors() == [f"Server did not take {name_of(1)}: 500 Internal Server Error"]
    assert spool.waiting() == [1]
    assert counts(spool.flush(retries=2)) == (1, 0, 0)
    assert [request.method for request in server.requests] == ["PUT", "PUT", "PUT", "PUT", "POST"]


def test_a_platform_that_takes_no_snapshot_files_gets_the_batches(spool, server):
    write_with_snapshot(spool, 1)
    server.answers += [404]
    assert counts(spool.flush()) == (1, 0, 0)


def test_batches_of_a_live_session_stay_where_it_can_read_them(spool, server, damaged_spools):
    (spool.output_dir / "journal").mkdir()
    (spool.output_dir / "journal" / f"{SESSION_ID}.journal").touch()
    spool.write(1, session_id=SESSION_ID)
    assert counts(spool.flush()) == (1, 0, 0)
    assert [path.name for path in spool.output_dir.glob("sent/*/*.json")] == [name_of(1)]


# ---- interrupts and company ----


def test_an_exception_leaves_the_batch_that_is_under_way_in_the_spool(spool, server):
    spool.write(1, 2, 3)
    with spool.opened() as (flush, steps):
        assert next(steps) == Tried(name_of(1), None)
        with pytest.raises(KeyboardInterrupt):
            steps.throw(KeyboardInterrupt)
    assert (counts(flush), spool.waiting()) == ((1, 0, 2), [2, 3])


def test_one_process_at_a_time_has_the_right_to_send(spool):
    first = SpoolClaim(spool.output_dir, spool.faults)
    assert first.hold()
    with (
        pytest.raises(CirronError, match="another process is sending from"),
        claimed(spool.spool, spool.faults),
    ):
        pytest.fail("it was let in")
    first.release()
    with claimed(spool.spool, spool.faults):
        assert not first.hold()
    assert first.hold()
    first.release()


def test_the_right_to_send_is_waited_for_a_little(spool):
    first = SpoolClaim(spool.output_dir, spool.faults)
    assert first.hold()
    timer = threading.Timer(0.2, first.release)
    timer.start()
    with claimed(spool.spool, spool.faults):
        pass
    timer.join()


def test_a_spool_without_its_folder_keeps_the_lock_to_itself(tmp_path):
    saved = tmp_path / "archive" / "saved"
    saved.mkdir(parents=True)
    with claimed(saved, Faults()):
        assert [path.relative_to(tmp_path / "archive") for path in saved.iterdir()] == [
            Path("saved/sender.lock")
        ]
    assert list((tmp_path / "archive").iterdir()) == [saved]


def test_where_the_lock_cannot_be_had_nothing_is_sent(spool):
    (spool.output_dir / "sender.lock").mkdir()
    with pytest.raises(CirronError, match="flush a copy of it"), claimed(spool.spool, spool.faults):
        pytest.fail("it was let in")
