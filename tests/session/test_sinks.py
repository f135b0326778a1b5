"""The sinks `log` and `stdout`: what a line says, and that a program is no worse off for them."""

import contextlib
import io
import logging
import os
import pty
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

import pytest

from cirron import epochs, mark, scope
from cirron.faults import Faults
from cirron.record_lines import record_lines
from cirron.sinks import BACKLOG_BATCHES, Printer, make_printer
from cirron.spool import read
from support.recorders import Session
from support.recording import Recording


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def make_batches(tmp_path):
    """Has a session record what a function does; its batches as the core hands them over."""

    def make(function):
        session = Session(tmp_path / ".cirron", keep_batches=True)
        function()
        session.end()
        return session.recorder.take_batches()

    return make


@pytest.fixture
def record_log():
    """Lines of the logger `cirron.records`, as a user's handler gets them."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append((record.levelname, record.getMessage()))
    logger = logging.getLogger("cirron.records")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def print_all(printer: Printer) -> None:
    while printer.has_more():
        printer.work()


def hand_written(*names: str) -> bytes:
    """A batch of spans of these names, closed one after another and half a millisecond long."""
    import msgspec

    run = Recording()
    for position, name in enumerate(names):
        run.span(name, position, position + 0.5)
    return msgspec.json.encode(run.batch())


def without_durations(lines):
    """The lines with the second field of spans left out, for it differs between runs."""
    fields = [line.split("  ") for line in lines]
    return [
        "  ".join([each[0], *each[2:]]) if each[0].startswith("span") else "  ".join(each) for each in fields
    ]


# ---- what a line says ----


def test_a_record_is_a_line_in_the_order_of_time(make_batches):
    def train():
        mark("seed", 7)
        for _ in epochs(range(1)):
            with scope("step", index=7, lr=0.1):
                mark("loss", 0.530123, split="train")
            mark("accuracy", 0.81, kind="summary")

    lines = [line for batch in make_batches(train) for line in record_lines(batch)]
    assert without_durations(lines) == [
        "mark seed = 7",
        "mark loss = 0.530123  in step[7]  split=train",
        "span step[7]  lr=0.1",
        "mark accuracy = 0.81  in epoch[0]  kind=summary",
        "span epoch[0]",
        "span cirron.session  cirron.ended=completed",
    ]


def test_a_span_says_how_long_it_took():
    assert record_lines(hand_written("load")) == ["span load  500 µs"]


def test_values_that_are_no_numbers_are_spelled_out(make_batches):
    def odd():
        mark("nothing", None)
        mark("nan", float("nan"))
        mark("flag", value=True)
        mark("text", "two\nlines\x1b[2J")
        mark("long", 1 / 3)

    (batch,) = make_batches(odd)
    assert record_lines(batch)[:5] == [
        "mark nothing = None",
        "mark nan = nan",
        "mark flag = True",
        r"mark text = two\nlines\x1b[2J",
        "mark long = 0.333333",
    ]


def test_no_name_breaks_a_line(make_batches):
    def hostile():
        with scope("a\nb", **{"key\n": "value\r"}):
            pass

    (batch,) = make_batches(hostile)
    assert without_durations(record_lines(batch))[0] == r"span a\nb  key\n=value\r"


def test_a_span_that_was_cut_off_is_none_that_closed():
    run = Recording()
    run.span("step", 0, None)
    import msgspec

    assert record_lines(msgspec.json.encode(run.batch())) == []


# ---- where it goes ----


def test_the_log_gets_each_record_as_one_info_line(faults, record_log):
    printer = make_printer(("log",), faults)
    printer.offer([hand_written("load", "step"), hand_written("save")])
    print_all(printer)
    names = [(level, line.split("  ")[0]) for level, line in record_log]
    assert names == [("INFO", "span load"), ("INFO", "span step"), ("INFO", "span save")]


def test_standard_output_gets_the_same_lines(faults, capsys, record_log):
    printer = make_printer(["spool", "stdout", "log"], faults)
    printer.offer([hand_written("load", "step")])
    print_all(printer)
    assert capsys.readouterr().out.splitlines() == [line for _, line in record_log]
    assert len(record_log) == 2


@pytest.mark.parametrize("output", [("spool",), ("none",), ()])
def test_without_such_a_sink_there_is_no_printer(faults, output):
    assert make_printer(output, faults) is None


def test_output_that_the_user_redirects_gets_none_of_it(faults, capsys):
    printer = make_printer(("stdout",), faults)
    with contextlib.redirect_stdout(io.StringIO()) as of_the_user:
        printer.offer([hand_written("load")])
        print_all(printer)
    assert of_the_user.getvalue() == ""
    assert capsys.readouterr().out == "span load  500 µs\n"


def test_what_the_streams_encoding_lacks_is_spelled_out(faults, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    printer = make_printer(("stdout",), faults)
    printer.offer([hand_written("größe")])
    print_all(printer)
    assert stream.buffer.getvalue() == rb"span gr\xf6\xdfe  500 \xb5s" + b"\n"
    assert faults.counts() == {}


# ---- a task among others ----


def test_a_wait_ends_when_there_is_something_to_print_or_at_a_call(faults, record_log):
    printer = make_printer(("log",), faults)
    printer.offer([hand_written("load")])
    printer.wait()  # each of these would time out otherwise, and the test with them
    printer.work()
    printer.wake()
    printer.wait()
    assert not printer.has_more()


def test_more_than_it_can_keep_is_dropped_oldest_first_and_counted(faults, record_log):
    printer = make_printer(("log",), faults)
    printer.offer(hand_written(f"step{number}") for number in range(BACKLOG_BATCHES + 3))
    print_all(printer)
    assert printer.dropped_count == 3
    assert record_log[0][1].startswith("span step3 ")
    assert len(record_log) == BACKLOG_BATCHES


def test_memory_is_bounded_whatever_the_size_of_batches(faults, record_log):
    printer = make_printer(("log",), faults)
    large = hand_written("large") + b" " * (30 * 1024 * 1024)
    printer.offer([large] * 4)
    print_all(printer)
    assert (printer.dropped_count, len(record_log)) == (2, 2)


def test_what_is_no_batch_is_counted_and_the_rest_printed(faults, record_log):
    printer = make_printer(("log",), faults)
    printer.offer([b"{", hand_written("load")])
    print_all(printer)
    assert (printer.dropped_count, faults.counts(), len(record_log)) == (1, {"printer": 1}, 1)


def test_a_logging_handler_that_raises_is_survived_counted_and_reported_once(faults, caplog):
    logger = logging.getLogger("cirron.records")

    def refuse(record):
        raise RuntimeError("this handler is broken")

    handler = logging.Handler()
    handler.emit = refuse
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        printer = make_printer(("log",), faults)
        printer.offer([hand_written("load", "step"), hand_written("save")])
        print_all(printer)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert (printer.dropped_count, faults.counts()) == (2, {"log sink": 3})
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "this handler is broken" in warnings[0]


def test_without_interest_in_info_nothing_is_logged_and_nothing_counts_as_lost(faults, caplog):
    caplog.set_level(logging.WARNING, "cirron.records")
    printer = make_printer(("log",), faults)
    printer.offer([hand_written("load")])
    print_all(printer)
    assert (caplog.records, printer.dropped_count, printer.has_more()) == ([], 0, False)


# ---- standard output is the program's ----

PROGRAM = """
import os, signal, sys
from cirron.faults import Faults
from cirron.sinks import make_printer
faults = Faults()
printer = make_printer(("stdout",), faults)
batch = sys.argv[1].encode()
def print_all():
    while printer.has_more():
        printer.work()
"""


def command(body, batch=None):
    text = (batch or hand_written("load")).decode()
    return [sys.executable, "-P", "-W", "error", "-X", "dev", "-c", PROGRAM + cleandoc(body), text]


def environment(**changes):
    """Standard output is buffered unless a test says otherwise, whatever the tests themselves run under."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | changes


def run(body, stdout=subprocess.PIPE, batch=None):
    pipes = dict(stdout=stdout, stderr=subprocess.PIPE, text=True)
    return subprocess.run(command(body, batch), env=environment(), **pipes)


def run_until_reader_leaves(body, **variables):
    """Run a program that waits on its standard input for its reader to be gone; exit code and messages."""
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process = subprocess.Popen(command(body), env=environment(**variables), **pipes)
    process.stdout.close()
    process.stdin.write("\n")
    process.stdin.close()
    err = process.stderr.read()
    process.stderr.close()
    return process.wait(), err.splitlines()


CLOSED = "standard output is closed, so records are printed no more"


COUNTED = "2 {'stdout sink': 1}"


def test_a_reader_that_goes_away_changes_neither_the_exit_code_nor_the_rest():
    body = """
        sys.stdin.readline()
        printer.offer([batch, batch]); print_all()
        print(printer.dropped_count, faults.counts(), file=sys.stderr)
        """
    said = f"{CLOSED}: nobody reads it any more (further ones are only counted)"
    assert run_until_reader_leaves(body) == (0, [said, COUNTED])


@pytest.mark.parametrize("disposition", ["SIG_IGN", "SIG_DFL"])
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_reader_that_goes_away_between_look_and_write_leaves_nothing_in_the_buffer(disposition, unbuffered):
    body = f"""
        signal.signal(signal.SIGPIPE, signal.{disposition})
        printer._sinks[0]._has_room = lambda: True  # as it was a moment ago
        sys.stdin.readline()
        printer.offer([batch, batch]); print_all()
        print(printer.dropped_count, faults.counts(), file=sys.stderr)
        """
    code, said = run_until_reader_leaves(body, PYTHONUNBUFFERED=unbuffered)
    assert (code, said[-1]) == (0, COUNTED)


def test_the_program_itself_still_hears_that_its_reader_is_gone():
    body = """
        printer._sinks[0]._has_room = lambda: True
        sys.stdin.readline()
        printer.offer([batch]); print_all()
        try:
            print("mine", flush=True)
        except BrokenPipeError:
            os.write(2, b"told")
        os._exit(0)
        """
    code, said = run_until_reader_leaves(body)
    assert (code, said[-1]) == (0, "told")


@pytest.mark.parametrize(
    "closing", ["sys.stdout.close()", "os.close(1)", "sys.__stdout__ = sys.stdout = None"]
)
def test_an_output_that_is_closed_is_survived(closing):
    body = f"""
        {closing}
        printer = make_printer(("stdout",), faults)
        printer.offer([batch, batch]); print_all()
        print(printer.dropped_count, file=sys.stderr)
        """
    done = run(body)
    assert (done.stdout, done.stderr.splitlines()[-1], done.returncode) == ("", "2", 0)


def test_a_disk_that_is_full_behind_standard_output_is_survived():
    body = """
        printer.offer([batch, batch]); print_all()
        print(printer.dropped_count, faults.counts(), file=sys.stderr)
        """
    with Path("/dev/full").open("w") as full:
        done = run(body, stdout=full)
    assert (done.stderr.splitlines()[-1], done.returncode) == (COUNTED, 0)


def test_a_reader_that_sleeps_holds_up_neither_the_program_nor_its_end():
    body = """
        printer.offer([batch] * 3)
        for _ in range(6):
            printer.work()
        print(printer.has_more(), printer.dropped_count, file=sys.stderr)
        """
    read_end, write_end = os.pipe()
    process_batch = hand_written(*(f"step{number:0100}" for number in range(300)))
    try:
        done = run(body, stdout=write_end, batch=process_batch)  # 36 KB each, for a pipe that holds 64 KiB
    finally:
        os.close(write_end)
        said = b"".join(iter(lambda: os.read(read_end, 65536), b""))
        os.close(read_end)
    assert (done.returncode, done.stderr) == (0, "True 0\n")
    assert said.endswith(b"\xc2\xb5s\n")  # whole lines, as far as there was room


def test_lines_and_the_programs_own_output_stay_whole():
    # One thread of the program's: two that print at once lose text by themselves in Python 3.11 (gh-119506).
    body = """
        import threading
        sys.setswitchinterval(1e-6)
        def talk():
            for number in range(10_000):
                sys.stdout.write(f"user {number} {'x' * 50}\\n")
        thread = threading.Thread(target=talk)
        thread.start()
        printer.offer([batch] * 50); print_all()
        thread.join()
        """
    done = run(body, batch=hand_written(*(f"step{number}" for number in range(100))))
    lines = done.stdout.splitlines()
    ours = [line for line in lines if line.startswith("span step")]
    users = [line for line in lines if line.startswith("user ")]
    assert (len(ours), len(users), len(lines)) == (5000, 10_000, 15_000)
    assert all(line.endswith(" µs") for line in ours)
    assert all(line.endswith("x" * 50) for line in users)


def test_a_terminal_gets_the_lines_too():
    controller, terminal = pty.openpty()
    done = run("printer.offer([batch]); print_all()", stdout=terminal)
    os.close(terminal)
    said = os.read(controller, 1000)
    os.close(controller)
    assert (done.returncode, done.stderr) == (0, "")
    assert said.decode() == "span load  500 µs\r\n"


# ---- a whole session ----


def run_script(body, *pipeline):
    """Run a script that profiles, in the test's folder; standard output may go through a pipeline."""
    command = ["/bin/sh", "-c", '"$0" -P -W error -X dev -c "$1"; echo "exit $?" >&2', sys.executable]
    script = "import cirron as ci, logging, sys\n" + cleandoc(body)
    if pipeline:
        command[2] = "{ " + command[2] + "; } | " + " ".join(pipeline)
    done = subprocess.run([*command, script], capture_output=True, text=True, env=environment())
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_a_session_prints_what_it_records_and_keeps_no_files_when_told_so():
    out, err = run_script(
        """
        ci.profile(output="stdout")
        with ci.scope("step", index=3):
            ci.mark("loss", 0.5)
        ci.shutdown()
        print("mine")
        """
    )
    assert without_durations(out) == [
        "mark loss = 0.5  in step[3]",
        "span step[3]",
        "span cirron.session  cirron.ended=completed",
        "mine",
    ]
    assert (err, Path(".cirron").exists()) == (["exit 0"], False)


def test_a_session_may_do_all_at_once():
    out, err = run_script(
        """
        logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
        ci.profile(output=["spool", "log", "stdout"])
        with ci.scope("step"):
            pass
        ci.shutdown()
        """
    )
    assert len(out) == 2
    assert err == [*(f"cirron.records: {line}" for line in out), "exit 0"]
    spans = [span for batch in read(".cirron").batches() for span in batch.spans]
    assert [span.name for span in spans] == ["step", "cirron.session"]


def test_a_session_that_keeps_nothing_leaves_nothing():
    out, err = run_script(
        """
        ci.profile(output="none")
        with ci.scope("step"):
            pass
        ci.shutdown()
        """
    )
    assert (out, err, Path(".cirron").exists()) == ([], ["exit 0"], False)


def test_a_program_whose_output_is_cut_off_ends_as_it_would_have():
    out, err = run_script(
        """
        ci.profile(output=["spool", "stdout"])
        for _ in range(50):
            for _ in ci.epochs(range(1000)):
                pass
            ci.flush()
        ci.shutdown()
        """,
        "head -1",
    )
    assert [line.split("  ")[0] for line in out] == ["span epoch[0]"]
    assert err[-1] == "exit 0"
    assert all(CLOSED in line for line in err[:-1])
    epochs_kept = sum(span.name == "epoch" for batch in read(".cirron").batches() for span in batch.spans)
    assert epochs_kept == 50_000


def test_a_program_whose_output_nobody_reads_ends_all_the_same():
    body = """
        import cirron as ci
        ci.profile(output="stdout")
        for _ in range(30):
            for _ in ci.epochs(range(200)):
                pass
            ci.flush()
        print("mine")
        """
    read_end, write_end = os.pipe()
    try:
        done = run(body, stdout=write_end)
    finally:
        os.close(write_end)
        said = b"".join(iter(lambda: os.read(read_end, 65536), b""))
        os.close(read_end)
    assert (done.returncode, done.stderr) == (0, "")
    assert said.count(b"mine\n") == 1
