"""Whole programs that record with a server behind them."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from delivery.servers import hang
from delivery.setup import KEY

RECORD = """
import cirron as ci
profiler = ci.profile()
for number in range(3):
    with ci.scope("step", index=number):
        ci.mark("loss", number)
    ci.flush()
"""


@pytest.fixture
def environment(server):
    return {**os.environ, "CIRRON_API_KEY": KEY, "CIRRON_API_ENDPOINT": server.url}


def run(program, environment):
    """The exit code and standard output of a program that says nothing it was not told to, and its errors."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def spans(server):
    return Counter(span["name"] for request in server.requests for span in request.batch["spans"])


def waiting():
    return len(list(Path(".cirron/spool").glob("*.json")))


def test_all_that_was_recorded_arrives_and_can_still_be_read_back(server, environment):
    program = RECORD + "ci.shutdown(); print(profiler.trace(format='dict')['span_count'])"
    assert run(program, environment) == (0, "4\n", "")
    assert spans(server) == {"step": 3, "cirron.session": 1}
    assert waiting() == 0


def test_without_a_shutdown_it_arrives_too_and_the_exit_code_is_the_programs(server, environment):
    assert run(RECORD + "raise SystemExit(3)", environment) == (3, "", "")
    assert spans(server) == {"step": 3, "cirron.session": 1}


@pytest.mark.parametrize("behaviour", [500, 404, 401, 302, hang])
def test_a_server_in_any_trouble_costs_nothing_but_one_warning(behaviour, server, environment):
    server.default = behaviour
    code, output, said = run(RECORD + "print('done'); raise SystemExit(3)", environment)
    assert (code, output, len(said.splitlines())) == (3, "done\n", 1)
    assert "cirron spool flush" in said
    assert waiting() >= 4


def test_the_key_is_nowhere_to_be_seen(server, environment):
    server.default = (500, {}, f"your key is {KEY}".encode())
    program = RECORD + "ci.shutdown(); print(ci.health(), profiler, vars(profiler)); raise RuntimeError"
    _, output, said = run(program, environment)
    files = [path.read_bytes() for path in Path(".cirron").rglob("*") if path.is_file()]
    assert KEY not in output + said
    assert not any(KEY.encode() in content for content in files)
    assert "'last_error': '500 Internal Server Error: your key is ***'" in output


def test_ranks_that_share_a_spool_and_end_together_send_everything_once(server, environment):
    program = RECORD + "import sys; print('ready', flush=True); sys.stdin.readline()"
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**environment, "RANK": str(rank), "WORLD_SIZE": "4"},
            **pipes,
        )
        for rank in range(4)
    ]
    for rank in ranks:
        assert rank.stdout.readline() == "ready\n"
    for rank in ranks:
        rank.stdin.close()
    for rank in ranks:
        assert rank.wait() == 0
        rank.stdout.close()
    assert spans(server) == {"step": 12, "cirron.session": 4}
    batches = Counter(request.headers["x-cirron-batch-id"] for request in server.requests)
    assert set(batches.values()) == {1}
    assert waiting() == 0


def test_inside_a_run_each_line_of_output_is_the_programs_or_an_event(environment):
    program = RECORD + "print('done')"
    code, output, said = run(program, {**environment, "CIRRON_RUN_ID": "run-7"})
    lines = [line for line in output.splitlines() if line]
    events = [json.loads(line) for line in lines if line != "done"]
    assert (code, said, len(lines) - len(events)) == (0, "", 1)
    assert {event["payload"]["run_id"] for event in events} == {"run-7"}
    assert Counter(span["name"] for event in events for span in event["payload"]["spans"]) == {
        "step": 3,
        "cirron.session": 1,
    }
    assert waiting() == 0


def test_a_program_that_becomes_a_daemon_delivers_for_itself(server, environment):
    program = """
import os
import cirron as ci
ci.profile()
parent = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == parent: os.sched_yield()
with ci.scope("in the daemon"): pass
ci.shutdown()
print("done", flush=True)
"""
    assert run(program, environment)[:2] == (0, "done\n")
    assert spans(server)["in the daemon"] == 1
