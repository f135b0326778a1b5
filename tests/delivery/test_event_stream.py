"""Batches as lines of standard output, in real processes whose output is read, left unread or gone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.spool_files import batch, put, span

PREAMBLE = """
import os, select, signal, sys, threading
from pathlib import Path
from cirron.delivery import event_stream, make_sender
from cirron.faults import Faults
from cirron.settings import Settings

import logging
logging.getLogger("cirron").disabled = True
sender = make_sender(Settings(run_id="run-7", output_dir=Path("here").absolute()), "aa" * 16, Faults())

def send():
    while sender.has_more():
        sender.work()

def told():
    print({name: sender.facts()[name] for name in ("sent_count", "failure_count", "stopped")}, file=sys.stderr)
"""

GONE = "{'sent_count': 0, 'failure_count': 1, 'stopped': 'standard output is closed'}\n"


@pytest.fixture(autouse=True)
def buffered(monkeypatch):
    """Python's standard output is as it comes, whatever the environment of the tests says."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def spool():
    spool = Path("here/spool")
    spool.mkdir(parents=True)
    return spool


def command(program, *options):
    return [sys.executable, "-X", "dev", "-W", "error", *options, "-c", PREAMBLE + program]


def run(program, *options, **arguments):
    """The exit code, standard output and standard error of a program."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | arguments
    done = subprocess.run(command(program, *options), **given)
    return done.returncode, done.stdout, done.stderr


def waiting(spool):
    return sorted(int(path.name[:20]) for path in spool.glob("*.json"))


def events(output):
    """The batches among the lines of an output, and the other lines that are not empty."""
    lines = [line for line in output.split("\n") if line]
    said = [json.loads(line) for line in lines if line.startswith('{"__cirron_event__"')]
    return [each["payload"] for each in said], [line for line in lines if '"__cirron_event__"' not in line]


def test_each_batch_is_one_line_with_the_envelope_of_the_contract(spool):
    put(spool, batch(1))
    assert run("send(); sender.close()") == (
        0,
        "\n" + '{"__cirron_event__":"trace_batch","schema_version":1,"sdk_version":"0.1.0","payload":'
        f"{json.dumps(batch(1))}" + "}\n",
        "",
    )
    assert waiting(spool) == []


def test_a_batch_of_many_lines_becomes_one(spool):
    content = batch(1, spans=[span(1, "two\nlines ä")])
    put(spool, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")
    _, output, _ = run("send(); sender.close()")
    assert events(output) == ([content], [])


def test_a_file_that_is_no_json_is_set_aside_and_not_printed(spool, damaged_spools):
    put(spool, b"\x00" * 100)
    put(spool, batch(2))
    _, output, _ = run("send(); sender.close()")
    assert events(output) == ([batch(2)], [])
    assert len(list((spool / "rejected").glob("*.reason.json"))) == 1


def test_what_was_printed_before_stands_before_and_half_a_line_is_ended(spool):
    put(spool, batch(1))
    _, output, _ = run("print('whole'); print('half', end=''); send(); print('rest'); sender.close()")
    lines = [line[:20] for line in output.split("\n")]
    assert lines == ["whole", "half", '{"__cirron_event__":', "rest", ""]


@pytest.mark.parametrize("options", [[], ["-u"]])
def test_no_event_shares_a_line_while_eight_threads_print(options, spool):
    """They take turns among themselves: up to Python 3.12.3 they would damage each other's lines."""
    for number in range(200):
        put(spool, batch(number, spans=[span(number, "x" * (number * 500))]))
    program = """
def talk(name):
    while not over:
        with turn:
            print(f"{name} says {'la' * 20}")
over = False
turn = threading.Lock()
threads = [threading.Thread(target=talk, args=(name,)) for name in range(8)]
for thread in threads: thread.start()
send()
over = True
for thread in threads: thread.join()
sender.close(); told()
"""
    code, output, said = run(program, *options)
    batches, others = events(output)
    assert (code, said) == (0, "{'sent_count': 200, 'failure_count': 0, 'stopped': None}\n")
    assert [each["created_ns"] for each in batches] == list(range(200))
    assert {line for line in others if not re.fullmatch("[0-7] says (la){20}", line)} == set()


def test_a_batch_larger_than_any_pipe_arrives_whole(spool):
    large = batch(1, spans=[span(number, "x" * 1000) for number in range(3000)])
    put(spool, large)
    _, output, _ = run("send(); sender.close()")
    assert events(output) == ([large], [])


# ---- a reader that is gone, or does not read ----


def test_a_reader_that_left_as_head_does_stops_the_events_and_changes_no_exit_code(spool):
    put(spool, batch(1))
    program = "print('first', flush=True); sys.stdin.readline(); send(); told(); sender.close(); sys.exit(3)"
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command(program), text=True, **pipes) as process:
        assert process.stdout.readline() == "first\n"
        process.stdout.close()
        _, said = process.communicate("go\n")
    assert (process.returncode, said) == (3, GONE)
    assert waiting(spool) == [1]


@pytest.mark.parametrize("handling", ["SIG_IGN", "SIG_DFL"])
def test_a_reader_that_leaves_in_the_last_moment_does_the_same(handling, spool):
    """Whatever the program has decided about SIGPIPE."""
    put(spool, batch(1))
    program = f"""
signal.signal(signal.SIGPIPE, signal.{handling})
event_stream._events = lambda descriptor: select.POLLOUT  # as it was before the reader left
reader, writer = os.pipe()
os.dup2(writer, 1); os.close(reader); os.close(writer)
sender._transport.__init__()
send(); told(); sender.close(); sys.exit(3)
"""
    assert run(program) == (3, "", GONE)
    assert waiting(spool) == [1]


@pytest.mark.parametrize(
    "close",
    ["sys.stdout.close()", "os.close(1)", "sys.stdout = sys.__stdout__ = None", "sys.stdout.detach()"],
)
def test_a_program_that_closes_its_output_ends_as_it_would_have(close, spool):
    put(spool, batch(1))
    program = f"{close}; send(); told(); sender.close(); os._exit(3)"
    assert run(program) == (3, "", GONE)
    assert waiting(spool) == [1]


def test_a_program_without_a_standard_output_is_no_trouble(spool):
    put(spool, batch(1))
    arguments = ["sh", "-c", 'exec "$@" >&-', "sh", *command("send(); told(); sender.close(); sys.exit(3)")]
    done = subprocess.run(arguments, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (3, GONE)
    assert waiting(spool) == [1]


def test_a_file_of_the_program_that_took_the_number_of_its_output_gets_no_events(spool):
    put(spool, batch(1))
    program = """
os.close(1)
file = open("mine.txt", "w")
send(); told(); sender.close()
print(file.fileno(), file=sys.stderr)
file.close(); os._exit(0)
"""
    assert run(program) == (0, "", GONE + "1\n")
    assert Path("mine.txt").read_bytes() == b""


def test_a_reader_that_does_not_read_holds_up_nothing(spool):
    for number in range(3):
        put(spool, batch(number, spans=[span(number, "x" * 600_000)]))
    program = "event_stream.ROOM_S = 0; send(); told(); sender.close(); sys.exit(3)"
    reader, writer = os.pipe()
    code, _, said = run(program, stdout=writer)
    os.close(writer)
    with os.fdopen(reader) as output:
        assert events(output.read())[0] == [batch(0, spans=[span(0, "x" * 600_000)])]
    # A pause after a failure may be as short as nothing, and there is another try.
    assert (code, re.sub("[2-9]", "1", said)) == (
        3,
        "{'sent_count': 1, 'failure_count': 1, 'stopped': None}\n",
    )
    assert waiting(spool) == [1, 2]


def test_a_wait_for_the_reader_ends_with_the_session(spool):
    for number in range(3):
        put(spool, batch(number, spans=[span(number, "x" * 600_000)]))
    program = """
event_stream.ROOM_S = 1000
waits = threading.Event()
event_stream._has_room = lambda *of, real=event_stream._has_room: real(*of) or waits.set()
thread = threading.Thread(target=send)
thread.start()
waits.wait()
sender.close(); thread.join(); told(); sys.exit(3)
"""
    reader, writer = os.pipe()
    code, _, said = run(program, stdout=writer)
    os.close(writer)
    os.close(reader)
    # A pause after a failure may be as short as nothing, and there is another try.
    assert (code, re.sub("[2-9]", "1", said)) == (
        3,
        "{'sent_count': 1, 'failure_count': 1, 'stopped': None}\n",
    )


def test_an_output_on_a_full_disk_is_tried_again_later_and_changes_no_exit_code(spool):
    put(spool, batch(1))
    with Path("/dev/full").open("w") as full:
        done = run("send(); told(); sender.close(); sys.exit(3)", stdout=full)
    assert (done[0], re.sub("[2-9]", "1", done[2])) == (
        3,
        "{'sent_count': 0, 'failure_count': 1, 'stopped': None}\n",
    )
    assert waiting(spool) == [1]


def test_an_output_that_is_a_file_is_written_to(spool):
    put(spool, batch(1))
    with Path("out.txt").open("w") as file:
        run("send(); sender.close()", stdout=file)
    assert events(Path("out.txt").read_text()) == ([batch(1)], [])
