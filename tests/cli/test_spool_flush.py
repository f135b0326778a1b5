"""`cirron spool flush`, against a platform on the loopback interface that behaves and misbehaves."""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

import cirron as ci
from cirron._version import __version__
from cirron.delivery.claim import SpoolClaim
from cirron.faults import Faults
from cirron.spool.files import BATCH_NAME
from faults.launchers import PLACES
from support.commands import COMMAND, cirron, start
from support.platform_server import ME, TRACES, half_close, hang, held
from support.spool_files import batch, put, snapshot

SPOOL = Path(".cirron", "spool")
OTHER_SESSION = "0f" * 16
SPAN_ID = "a7" * 16
STOPPED_BEFORE_3 = "Warning: Stopping flush; 3 batches left in spool."

KILLED = """
import os, signal
import cirron as ci
ci.profile()
with ci.scope("step"):
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""


def name_of(number):
    return f"{number:020}-{number:032x}.json"


def write(spool, *numbers):
    spool.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        put(spool, batch(number, session_id=OTHER_SESSION))


def waiting(spool=SPOOL):
    return sorted(int(path.name[:20]) for path in spool.iterdir() if BATCH_NAME.fullmatch(path.name))


def lines(*texts):
    return "".join(f"{text}\n" for text in texts)


def uploaded(platform):
    """The ages of the batches in all requests to the ingest route, accepted or not."""
    return [request.batch["created_ns"] for request in platform.requests_to(TRACES)]


@pytest.fixture
def signed_in(platform):
    """A platform on which one is logged in, and that is asked once for each batch."""
    platform.sign_in(retries=0)
    return platform


@pytest.fixture
def two_batches():
    write(SPOOL, 1, 2)


@pytest.fixture
def five_batches():
    write(SPOOL, 5, 3, 1, 2, 4)


# ---- what it does ----


def test_each_batch_is_uploaded_the_oldest_first_and_deleted_once_acknowledged(signed_in, five_batches):
    assert cirron("spool", "flush") == (0, "Uploaded: 5  Failed: 0  Skipped: 0\n", "")
    assert (uploaded(signed_in), waiting()) == ([1, 2, 3, 4, 5], [])


def test_a_batch_is_deleted_no_sooner_than_it_is_acknowledged(signed_in, two_batches):
    seen = []
    look = lambda handler: [seen.append(waiting()), handler.answer_as_the_route_does()]  # noqa: E731
    signed_in.answers[TRACES] += [look, look]
    cirron("spool", "flush")
    assert seen == [[1, 2], [2]]


def test_the_headers_are_those_of_the_contract(platform, two_batches):
    token = platform.sign_in()
    cirron("spool", "flush")
    request = platform.requests_to(TRACES)[0]
    promised = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "x-cirron-sdk-version": f"cli/{__version__}",
        "x-cirron-batch-id": f"{1:032x}",
    }
    assert promised.items() <= request.headers.items()


@pytest.mark.parametrize(("size_bytes", "encoding"), [(1000, None), (1025, "gzip")])
def test_a_batch_is_compressed_when_it_is_larger_than_a_kilobyte(size_bytes, encoding, signed_in):
    SPOOL.mkdir(parents=True)
    empty = json.dumps(batch(1, padding=""))
    content = json.dumps(batch(1, padding=" " * (size_bytes - len(empty)))).encode()
    put(SPOOL, content)
    cirron("spool", "flush")
    (request,) = signed_in.requests_to(TRACES)
    assert request.headers.get("content-encoding") == encoding
    assert (request.body, len(content)) == (content, size_bytes)


def test_what_is_uploaded_is_the_file_to_the_byte(signed_in):
    odd = json.dumps(batch(1, of_a_third_party="ü"), indent=3, ensure_ascii=False).encode() + b"\n \n"
    SPOOL.mkdir(parents=True)
    put(SPOOL, odd)
    cirron("spool", "flush")
    assert signed_in.requests_to(TRACES)[0].body == odd


def test_dir_names_another_spool(signed_in, two_batches):
    archived = Path("archive", ".cirron", "spool")
    write(archived, 7)
    assert cirron("spool", "flush", "--dir", archived).out == "Uploaded: 1  Failed: 0  Skipped: 0\n"
    assert (waiting(archived), waiting()) == ([], [1, 2])


def test_a_folder_that_was_named_has_to_be_there(signed_in):
    code, out, err = cirron("spool", "flush", "--dir", "nowhere")
    assert (code, out) == (1, "")
    assert err.startswith("Error: no spool at nowhere: the directory does not exist")


def test_the_journal_of_a_killed_session_is_sealed_first_and_goes_along(signed_in):
    assert subprocess.run([sys.executable, "-c", KILLED]).returncode == -signal.SIGKILL
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (0, "Uploaded: 1  Failed: 0  Skipped: 0\n")
    assert err.startswith("Recovered session ")
    assert [span["name"] for each in signed_in.batches.values() for span in each["spans"]] == [
        "step",
        "cirron.session",
    ]


def write_with_snapshot(number):
    """A batch that names a snapshot file; the file."""
    path = Path(".cirron", "snapshots", SPAN_ID, f"{number}.safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"tensors")
    SPOOL.mkdir(exist_ok=True)
    named = snapshot(number, "w", blob_uri=f"snapshots/{SPAN_ID}/{path.name}")
    put(SPOOL, batch(number, snapshots=[named]))
    return path


def test_snapshot_files_go_along(signed_in):
    write_with_snapshot(1)
    assert cirron("spool", "flush") == (0, "Uploaded: 1  Failed: 0  Skipped: 0\n", "")
    assert signed_in.snapshots == {(SPAN_ID, "1.safetensors"): b"tensors"}


def test_a_batch_whose_snapshot_file_does_not_get_through_waits_with_it(signed_in):
    write_with_snapshot(1)
    write_with_snapshot(2)
    signed_in.answers[f"/v1/snapshots/{SPAN_ID}/1.safetensors"] += [503]
    assert cirron("spool", "flush") == (
        1,
        "Uploaded: 1  Failed: 1  Skipped: 0\n",
        f"Error: Server did not take {name_of(1)}: 503 Service Unavailable\n",
    )
    assert waiting() == [1]
    assert cirron("spool", "flush").code == 0
    assert len(signed_in.snapshots) == 2


def test_snapshot_files_that_cannot_be_sent_are_counted_and_make_it_fail(signed_in):
    gone, too_large, link, fifo = (write_with_snapshot(number) for number in range(1, 5))
    write_with_snapshot(5)
    for path in (gone, link, fifo):
        path.unlink()
    link.symlink_to(SPOOL.absolute() / name_of(1))
    os.mkfifo(fifo)
    signed_in.answers[f"/v1/snapshots/{SPAN_ID}/{too_large.name}"] += [413]
    assert cirron("spool", "flush") == (
        1,
        "Uploaded: 5  Failed: 0  Skipped: 0\n",
        lines(
            f"Warning: {gone.absolute()} was not sent, while its batch is: there is no such file among the snapshots "
            "(further ones are only counted)",
            "Warning: Not sent with their batches: 4 snapshot files.",
        ),
    )
    assert list(signed_in.snapshots) == [(SPAN_ID, "5.safetensors")]


def test_a_platform_that_takes_no_snapshot_files_gets_the_batches_and_the_files_are_counted(signed_in):
    for number in (1, 2):
        signed_in.missing.add(f"/v1/snapshots/{SPAN_ID}/{write_with_snapshot(number).name}")
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (1, "Uploaded: 2  Failed: 0  Skipped: 0\n")
    assert err == lines(
        'Warning: the server takes no snapshot files (404 Not Found: {"error": "not_found"}); they stay in '
        f"{SPOOL.parent.absolute() / 'snapshots'}, and everything else is sent",
        "Warning: Not sent with their batches: 2 snapshot files.",
    )


def test_what_is_no_batch_stays_and_is_mentioned(signed_in, two_batches):
    (SPOOL / "notes.json").write_text("{}")
    code, _, err = cirron("spool", "flush")
    assert code == 0
    assert err == "Warning: left out notes.json: not named <20 digits>-<32 hex digits>.json\n"
    assert (SPOOL / "notes.json").exists()


def test_a_link_that_is_named_like_a_batch_sends_no_file_from_elsewhere(signed_in, two_batches):
    Path("secret.txt").write_text("hunter2")
    (SPOOL / name_of(3)).symlink_to(Path("secret.txt").absolute())
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (0, "Uploaded: 2  Failed: 0  Skipped: 0\n")
    assert err == f"Warning: left out {name_of(3)}: not a regular file\n"
    assert uploaded(signed_in) == [1, 2]


def test_what_a_session_that_still_runs_has_sealed_is_sent_and_it_still_reads_it(signed_in, profiler):
    with ci.scope("step"):
        pass
    ci.flush()
    assert cirron("spool", "flush").code == 0
    assert len(signed_in.batches) == 1
    assert [root["name"] for root in ci.trace("dict", name="step")["roots"]] == ["step"]


def test_what_was_sent_of_a_session_is_deleted_by_the_first_flush_after_its_end(signed_in, two_batches):
    journal = SPOOL.with_name("journal") / f"{OTHER_SESSION}.journal"
    kept = SPOOL.with_name("sent") / OTHER_SESSION
    journal.parent.mkdir()
    with journal.open("wb") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)  # as the session does while it runs
        assert cirron("spool", "flush").code == 0
        assert waiting(kept) == [1, 2]
    journal.unlink()
    notes = kept.with_name("notes")
    notes.mkdir()
    write(SPOOL, 3)
    assert cirron("spool", "flush").code == 0
    assert (list(notes.parent.iterdir()), waiting()) == ([notes], [])


# ---- the login ----


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_spool_needs_no_login(exists):
    if exists:
        SPOOL.mkdir(parents=True)
    assert cirron("spool", "flush") == (0, f"No spool files found in {SPOOL.absolute()}\n", "")


def test_without_a_login_it_says_how_to_get_one(platform, two_batches):
    code, out, err = cirron("spool", "flush", CIRRON_API_ENDPOINT=platform.url)
    assert (code, out, err) == (1, "", "Error: Not authenticated. Run cirron auth login first.\n")
    assert (platform.requests, waiting()) == ([], [1, 2])


def test_the_login_is_verified_before_the_first_batch(signed_in, two_batches):
    cirron("spool", "flush")
    assert [request.path for request in signed_in.requests] == [ME, TRACES, TRACES]


def test_a_login_that_is_about_to_end_is_refreshed_without_a_word(platform, two_batches):
    token = platform.sign_in(expires_in_s=60)
    assert cirron("spool", "flush") == (0, "Uploaded: 2  Failed: 0  Skipped: 0\n", "")
    assert platform.requests_to(TRACES)[0].headers["authorization"] != f"Bearer {token}"


def test_a_login_that_ends_on_the_way_is_refreshed_without_a_word(signed_in, five_batches):
    signed_in.answers[TRACES] += [None, lambda handler: end_login(signed_in, handler)]
    assert cirron("spool", "flush") == (0, "Uploaded: 5  Failed: 0  Skipped: 0\n", "")
    assert (uploaded(signed_in), waiting()) == ([1, 2, 3, 3, 4, 5], [])


def test_a_login_that_ends_on_the_way_for_good_leaves_the_rest(signed_in, five_batches):
    signed_in.answers[TRACES] += [None, lambda handler: end_login(signed_in, handler)]
    signed_in.refresh_tokens.clear()
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (1, "Uploaded: 2  Failed: 1  Skipped: 2\n")
    assert err == lines(
        f"Error: Auth rejected (401) for {name_of(3)}. Run cirron auth login.",
        "Warning: Stopping flush; 2 batches left in spool.",
    )


def end_login(platform, handler):
    """Answer as ever, and never again to this access token."""
    handler.answer_as_the_route_does()
    platform.access_tokens.clear()


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_is_no_longer_valid_ends_it_before_the_first_batch(status, signed_in, two_batches):
    signed_in.answers[ME] += [status] * 3
    signed_in.refresh_tokens.clear()
    code, out, err = cirron("spool", "flush")
    assert (code, out, err) == (1, "", "Error: Authentication invalid. Run cirron auth login first.\n")
    assert (uploaded(signed_in), waiting()) == ([], [1, 2])


def test_a_token_that_no_header_can_carry_is_not_sent_and_not_shown(signed_in, two_batches):
    path = Path(os.environ["HOME"], ".cirron", "config.json")
    config = json.loads(path.read_text())
    config["auth"]["accessToken"] = "s3cret\r\nX-Evil: 1"
    path.write_text(json.dumps(config))
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert "s3cret" not in err
    assert (signed_in.requests, waiting()) == ([], [1, 2])


# ---- failures ----


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_refused_on_the_way_leaves_the_rest_in_the_spool(status, signed_in, two_batches):
    signed_in.answers[TRACES] += [status]
    assert cirron("spool", "flush") == (
        1,
        "Uploaded: 0  Failed: 1  Skipped: 1\n",
        lines(
            f"Error: Auth rejected ({status}) for {name_of(1)}. Run cirron auth login.",
            "Warning: Stopping flush; 1 batch left in spool.",
        ),
    )
    assert waiting() == [1, 2]
    assert cirron("spool", "flush").out == "Uploaded: 2  Failed: 0  Skipped: 0\n"


def test_what_is_left_is_counted(signed_in, five_batches):
    signed_in.answers[TRACES] += [None, 403]
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (1, "Uploaded: 1  Failed: 1  Skipped: 3\n")
    assert err.splitlines()[-1] == STOPPED_BEFORE_3


def test_a_platform_without_the_route_is_told_from_a_failure_and_the_spool_stays(signed_in, two_batches):
    signed_in.missing.add(TRACES)
    assert cirron("spool", "flush") == (
        1,
        "",
        lines(
            f"Error: Ingest route /api/traces not available on {signed_in.url} (404). Platform may not have shipped "
            "the route yet."
        ),
    )
    assert (waiting(), len(signed_in.requests_to(TRACES))) == ([1, 2], 1)


def test_a_route_that_vanishes_on_the_way_leaves_the_rest(signed_in, five_batches):
    signed_in.answers[TRACES] += [None, 404]
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (1, "Uploaded: 1  Failed: 1  Skipped: 3\n")
    assert err.endswith("(404). Platform may not have shipped the route yet.\n" + lines(STOPPED_BEFORE_3))


@pytest.mark.parametrize("status", [400, 413])
def test_a_batch_rejected_for_good_is_set_aside_and_the_rest_is_sent(status, signed_in, two_batches):
    signed_in.answers[TRACES] += [(status, {}, b"unknown\x1b[2J mark")]
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (1, "Uploaded: 1  Failed: 1  Skipped: 0\n")
    assert err.startswith(f"Error: Server rejected {name_of(1)} for good: {status} ")
    assert "\x1b" not in err
    assert waiting(SPOOL / "rejected") == [1]
    assert cirron("spool", "flush").code == 0


def test_content_that_is_no_json_is_for_the_platform_to_reject(signed_in):
    SPOOL.mkdir(parents=True)
    put(SPOOL, b"\0garbage", name_of(1))
    signed_in.answers[TRACES] += [400]
    assert cirron("spool", "flush").out == "Uploaded: 0  Failed: 1  Skipped: 0\n"
    assert signed_in.requests_to(TRACES)[0].raw == b"\0garbage"
    assert (SPOOL / "rejected" / name_of(1)).read_bytes() == b"\0garbage"


@pytest.mark.parametrize("misbehave", [500, 503, half_close, (429, {"Retry-After": "0"})])
def test_what_may_pass_is_tried_up_to_three_times_more(misbehave, platform):
    platform.sign_in()
    write(SPOOL, 1)
    platform.answers[TRACES] += [misbehave] * 3
    assert cirron("spool", "flush").out == "Uploaded: 1  Failed: 0  Skipped: 0\n"
    assert len({request.raw for request in platform.requests_to(TRACES)}) == 1


def test_after_the_third_retry_the_batch_stays(platform):
    platform.sign_in()
    write(SPOOL, 1)
    platform.answers[TRACES] += [503] * 4
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (1, "Uploaded: 0  Failed: 1  Skipped: 0\n")
    assert err.splitlines()[-1] == f"Error: Server did not take {name_of(1)}: 503 Service Unavailable"
    assert (waiting(), len(platform.requests_to(TRACES))) == ([1], 4)


def test_retries_are_as_many_as_the_config_file_says(platform):
    platform.sign_in(retries=1)
    write(SPOOL, 1)
    platform.answers[TRACES] += [500, 500]
    cirron("spool", "flush")
    assert len(platform.requests_to(TRACES)) == 2


def test_retry_after_is_respected_and_said(platform):
    platform.sign_in()
    write(SPOOL, 1)
    platform.answers[TRACES] += [(429, {"Retry-After": "100"})]
    with start("spool", "flush") as process:
        line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert line == f"Waiting 100 s before {name_of(1)} is tried again: 429 Too Many Requests\n"
    assert (process.returncode, len(platform.requests_to(TRACES))) == (130, 1)


def test_the_timeout_of_the_config_file_ends_an_upload_and_the_rest_is_left(platform, two_batches):
    platform.sign_in(timeout=1000, retries=0)
    platform.answers[TRACES] += [hang]
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (1, "Uploaded: 0  Failed: 1  Skipped: 1\n")
    assert err == (
        f"Error: Network error uploading {name_of(1)}: timed out after 1000ms\n"
        "Warning: Stopping flush; 1 batch left in spool.\n"
    )
    assert waiting() == [1, 2]
    assert cirron("spool", "flush").out == "Uploaded: 2  Failed: 0  Skipped: 0\n"


def test_a_platform_that_goes_away_leaves_the_rest(signed_in, two_batches):
    signed_in.answers[TRACES] += [half_close]
    code, out, err = cirron("spool", "flush")
    assert (code, out) == (1, "Uploaded: 0  Failed: 1  Skipped: 1\n")
    assert err.startswith(f"Error: Network error uploading {name_of(1)}: ")


def test_a_redirect_is_not_followed(signed_in, two_batches):
    with socket.create_server(("127.0.0.1", 0)) as other:
        target = f"http://127.0.0.1:{other.getsockname()[1]}/"
        signed_in.answers[TRACES] += [(308, {"Location": target})]
        code, _, err = cirron("spool", "flush")
        other.settimeout(0)
        with pytest.raises(BlockingIOError):
            other.accept()
    assert code == 1
    assert "308 Permanent Redirect" in err


def test_a_platform_on_this_machine_is_never_asked_by_way_of_a_proxy(signed_in, two_batches):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        proxy = f"http://127.0.0.1:{unused.getsockname()[1]}"
    out = cirron("spool", "flush", http_proxy=proxy, HTTP_PROXY=proxy, ALL_PROXY=proxy).out
    assert out == "Uploaded: 2  Failed: 0  Skipped: 0\n"


def test_a_batch_that_cannot_be_deleted_is_uploaded_once_and_that_is_said(signed_in, two_batches):
    SPOOL.chmod(0o555)
    refused = [sys.executable, str(PLACES / "without_privileges.py")]
    code, out, err = cirron("spool", "flush", launcher=refused)
    SPOOL.chmod(0o755)
    assert (code, out) == (1, "Uploaded: 2  Failed: 0  Skipped: 0\n")
    assert err == "".join(
        f"Error: Uploaded {name_of(number)} but failed to delete local spool file "
        f"{SPOOL.absolute() / name_of(number)}: Permission denied. It may be re-uploaded on next flush.\n"
        for number in (1, 2)
    )
    assert (uploaded(signed_in), waiting()) == ([1, 2], [1, 2])


def test_a_batch_that_cannot_be_read_stays_and_the_rest_is_sent(signed_in, two_batches):
    (SPOOL / name_of(1)).chmod(0)
    refused = [sys.executable, str(PLACES / "without_privileges.py")]
    code, out, err = cirron("spool", "flush", launcher=refused)
    assert (code, out) == (1, "Uploaded: 1  Failed: 1  Skipped: 0\n")
    assert (
        err
        == f"Error: Cannot read {SPOOL.absolute() / name_of(1)}: Permission denied. It stays in the spool.\n"
    )


# ---- interrupts and company ----


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_loses_nothing_and_says_what_was_done(number, signed_in, five_batches):
    signed_in.answers[TRACES] += [None, None, hang]
    with start("spool", "flush") as process:
        while len(signed_in.requests_to(TRACES)) < 3:
            assert signed_in.arrived.acquire(timeout=60)
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "Uploaded: 2  Failed: 0  Skipped: 3\n")
    assert err.strip() == STOPPED_BEFORE_3
    assert waiting() == [3, 4, 5]


def test_after_a_kill_the_next_flush_goes_on_and_what_it_repeats_is_the_same_to_the_byte(
    signed_in, five_batches
):
    signed_in.answers[TRACES] += [None, None, hang]
    with start("spool", "flush") as process:
        while len(signed_in.requests_to(TRACES)) < 3:
            assert signed_in.arrived.acquire(timeout=60)
        process.kill()
    assert cirron("spool", "flush") == (0, "Uploaded: 3  Failed: 0  Skipped: 0\n", "")
    assert uploaded(signed_in) == [1, 2, 3, 3, 4, 5]
    again = [request.raw for request in signed_in.requests_to(TRACES)][2:4]
    assert again[0] == again[1]


def test_two_flushes_at_once_upload_nothing_twice(signed_in, five_batches):
    go_on = threading.Event()
    signed_in.answers[TRACES] += [held(go_on)]
    with start("spool", "flush") as first:
        while not signed_in.requests_to(TRACES):
            assert signed_in.arrived.acquire(timeout=60)
        second = cirron("spool", "flush")
        go_on.set()
        out, _ = first.communicate()
    assert (second.code, second.out) == (1, "")
    assert second.err.startswith(
        f"Error: another process is sending from {SPOOL.absolute()}, so nothing was sent here"
    )
    assert (first.returncode, out) == (0, "Uploaded: 5  Failed: 0  Skipped: 0\n")
    assert uploaded(signed_in) == [1, 2, 3, 4, 5]


def test_a_flush_that_waited_for_another_sends_what_that_left(signed_in, two_batches):
    other = SpoolClaim(SPOOL.parent, Faults())
    assert other.hold()
    with start("spool", "flush") as process:
        assert signed_in.arrived.acquire(timeout=60)
        (SPOOL / name_of(1)).unlink()
        other.release()
        out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "Uploaded: 1  Failed: 0  Skipped: 0\n", "")


# ---- the terminal ----


@contextmanager
def on_a_terminal(**environment):
    """A flush whose standard error is a terminal; gives the process, and the other end of that terminal."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "spool", "flush"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"} | environment,
    )
    os.close(terminal)
    with process:
        yield process, controller
    os.close(controller)


def shown_on(controller, until=rb"(?!)"):
    """What the terminal showed until there was something like that, or until the program ended."""
    shown = b""
    with contextlib.suppress(OSError):  # the program's end of the terminal is closed
        while not re.search(until, shown):
            shown += os.read(controller, 4096)
    return shown


def test_a_person_who_watches_sees_a_bar(signed_in, two_batches):
    go_on = threading.Event()
    signed_in.answers[TRACES] += [None, held(go_on)]
    with on_a_terminal() as (process, controller):
        assert b"Uploading" in shown_on(controller, until=rb"1/2")
        go_on.set()
        shown_on(controller)
        assert process.stdout.read() == b"Uploaded: 2  Failed: 0  Skipped: 0\n"


def test_an_error_is_legible_above_the_bar(signed_in, two_batches):
    signed_in.answers[TRACES] += [400]
    with on_a_terminal() as (_, controller):
        shown = shown_on(controller).decode()
    assert re.search(rf"Error: Server rejected\s+{name_of(1)} for good: 400 Bad\s+Request", shown)


def test_without_colours_there_is_no_bar(signed_in, two_batches):
    with on_a_terminal(NO_COLOR="1") as (_, controller):
        assert shown_on(controller) == b""
