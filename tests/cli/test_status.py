"""`cirron status`: everything at a glance, whatever is missing."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cirron._version import __version__
from cirron.account import config_path
from cirron.spool.newest import newest_session
from support.commands import cirron
from support.platform_server import HEALTH, hang
from support.recording import Recording, training

RECORD = """
import cirron as ci
ci.profile()
with ci.scope("step"):
    pass
"""

KILLED = f"""
import os, signal
{RECORD}
os.kill(os.getpid(), signal.SIGKILL)
"""

LIVE = f"""
import sys
{RECORD}
ci.flush()
print("recorded", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def spool():
    return Path(".cirron", "spool")


def lines():
    code, out, _ = cirron("status")
    assert code == 0
    return {line.split()[0]: line[9:] for line in out.splitlines()}


def test_a_session_that_ended_is_shown_with_its_spool(platform):
    platform.sign_in(12.5 * 24 * 3600)
    subprocess.run([sys.executable, "-c", RECORD], check=True)
    shown = lines()
    assert list(shown) == ["version", "login", "api", "spool", "session"]
    assert shown["version"] == __version__
    assert re.fullmatch(r"logged in; the login expires in 12 days \(.*Z\)", shown["login"])
    assert shown["api"] == f"{platform.url} is reachable"
    assert re.fullmatch(
        re.escape(str(Path(".cirron/spool").absolute())) + r": \d files?, \d+ K?B", shown["spool"]
    )
    assert re.fullmatch(r"[0-9a-f]{8}, started 20\d\d-\d\d-\d\dT\S+Z, completed", shown["session"])


def test_a_program_gets_the_same_as_json(platform, spool):
    platform.sign_in()
    recording = Recording("ab" * 16)
    recording.session(0, 10, attrs={"cirron.ended": "completed"})
    path = recording.write(spool)
    code, out, err = cirron("status", "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report.pop("login")["loggedIn"] is True
    assert report == {
        "sdkVersion": __version__,
        "api": {"url": platform.url, "reachable": True, "finding": "is reachable"},
        "spool": {"dir": str(spool.absolute()), "files": 1, "totalBytes": path.stat().st_size},
        "session": {"id": "ab" * 16, "started": "2023-11-14T22:13:20.000Z", "ended": "completed"},
    }


def test_without_login_network_and_spool_each_line_says_so(platform):
    platform.stop()
    config_path().parent.mkdir()
    config_path().write_text(json.dumps({"apiUrl": platform.url}))
    shown = lines()
    assert shown["login"] == "nobody is logged in: run `cirron auth login`"
    assert shown["api"].startswith(f"Network error asking the platform at {platform.url}{HEALTH}: ")
    assert shown["spool"] == f"no spool at {Path('.cirron').absolute()}"
    assert shown["session"] == "none in the spool"


def test_without_anything_the_json_has_nulls(platform):
    platform.stop()
    report = json.loads(cirron("status", "--json", CIRRON_API_ENDPOINT=platform.url)[1])
    assert report["login"] == {"loggedIn": False, "expiresAt": None}
    assert (report["api"]["reachable"], report["spool"], report["session"]) == (False, None, None)


def test_a_damaged_config_file_leaves_the_spool_to_be_shown(spool):
    config_path().parent.mkdir()
    config_path().write_text("{")
    training(1, 2).write(spool)
    shown = lines()
    assert "config.json, line 1, column 2: " in shown["login"]
    assert "config.json, line 1, column 2: " in shown["api"]
    assert "1 file" in shown["spool"]


def test_a_platform_that_does_not_answer_is_given_up_after_seconds(platform):
    platform.sign_in(timeout=300_000)
    platform.answers[HEALTH].append(hang)
    assert lines()["api"].endswith(": timed out after 3000ms")


@pytest.mark.parametrize(
    ("answer", "reachable", "finding"),
    [
        (404, True, "is reachable"),
        (503, False, "answers 503 Service Unavailable"),
        (301, False, "a redirect"),
    ],
)
def test_what_the_platform_answers_is_told(platform, answer, reachable, finding):
    platform.sign_in()
    platform.answers[HEALTH].append(answer)
    api = json.loads(cirron("status", "--json")[1])["api"]
    assert api["reachable"] is reachable
    assert finding in api["finding"]


def test_no_token_is_sent_to_ask_whether_the_platform_is_there(platform):
    platform.sign_in()
    cirron("status")
    assert ["authorization" in request.headers for request in platform.requests] == [False]


def test_a_killed_session_is_recovered_and_shown_as_such():
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    code, out, err = cirron("status")
    assert code == 0
    assert err.startswith("Recovered session ")
    assert out.endswith(", killed\n")


def test_a_session_that_goes_on_is_live():
    program = [sys.executable, "-c", LIVE]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert lines()["session"].endswith(", live")
        process.stdin.close()


def test_a_session_of_which_the_spool_has_nothing_is_found_by_its_journal(spool):
    training(1, 2).write(spool, number=1)
    program = [sys.executable, "-c", LIVE]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        for path in spool.iterdir():
            if not path.name.endswith(f"{1:032x}.json"):
                path.unlink()
        session = newest_session(spool)
        assert (session.pid, session.ended) == (process.pid, "live")
        assert lines()["session"].startswith(f"{session.id[:8]}, started ")
        process.stdin.close()


def test_a_spool_may_lie_elsewhere(spool):
    training(1, 2).write(Path("runs/42") / spool)
    _, out, _ = cirron("status", "--spool", "runs/42")
    assert f"{Path('runs/42').absolute()}/.cirron/spool: 1 file" in out


def test_files_that_cannot_be_read_do_not_hide_the_session(spool, damaged_spools):
    training(1, 2).write(spool)
    (spool / f"{10**19:020}-{3:032x}.json").write_text('{"schema_version": 1, ')
    assert lines()["session"].startswith("5e5e5e5e, started ")


def test_the_newest_session_is_a_main_process_rather_than_its_worker(spool):
    main = Recording("ab" * 16)
    main.session(0, 10)
    main.write(spool, number=1)
    path = training(1, 2).write(spool, number=2)
    batch = json.loads(path.read_text())
    path.write_text(json.dumps(batch | {"worker": "0", "parent_session_id": "ab" * 16}))
    assert newest_session(spool).id == "ab" * 16


def test_the_newest_session_costs_the_reading_of_one_batch(spool, damaged_spools):
    old = training(1, 2).write(spool, number=1)
    old.write_text("not looked at")
    training(1, 2).write(spool, number=2)
    old.chmod(0)
    assert newest_session(spool).id == "5e" * 16


def test_an_empty_spool_has_no_newest_session(spool):
    spool.mkdir(parents=True)
    assert newest_session(spool) is None


def test_a_spool_without_session_ids_names_the_process(spool):
    path = training(1, 2).write(spool)
    batch = json.loads(path.read_text())
    batch["session_id"] = None
    batch["spans"] = [span for span in batch["spans"] if span["parent_id"] is not None]
    path.write_text(json.dumps(batch))
    assert (newest_session(spool).id, newest_session(spool).ended) == ("pid-7", "unknown")


def test_an_interrupt_exits_with_130(platform):
    platform.sign_in(timeout=300_000)
    platform.answers[HEALTH].append(hang)
    with subprocess.Popen([sys.executable, "-m", "cirron.cli", "status"], stderr=subprocess.PIPE) as process:
        platform.arrived.acquire()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert (process.returncode, err.strip()) == (130, b"")
