"""`cirron memory watch -- COMMAND`: the command runs as it would alone, and its memory is told."""

import json
import signal
import sys

import pytest

from support.commands import cirron, start

PYTHON = [sys.executable, "-P", "-c"]


def watch(code, *options, **environ):
    return cirron("memory", "watch", "--interval-ms", 10, *options, "--", *PYTHON, code, **environ)


def test_tells_the_most_that_the_command_took():
    ran = watch("import time; x = b'x' * 200_000_000; time.sleep(1); print('done')", "--json")
    said, document = ran.out.splitlines()
    assert (ran.code, said) == (0, "done")
    assert json.loads(document)["peak"]["resident_bytes"] == pytest.approx(210e6, rel=0.05)


def test_counts_children():
    child = "import time; x = b'x' * 100_000_000; time.sleep(2)"
    code = (
        "import subprocess, sys\n"
        f"children = [subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in range(2)]\n"
        "for each in children: each.wait()"
    )
    document = json.loads(watch(code, "--json").out)
    assert document["peak"]["processes"] == 3
    assert document["peak"]["resident_bytes"] == pytest.approx(230e6, rel=0.1)
    assert len(document["processes"]) == 3


@pytest.mark.parametrize("code", [0, 3, 255])
def test_has_the_exit_code_of_the_command(code):
    assert watch(f"import os; os._exit({code})").code == code


def test_has_128_and_the_signal_where_one_ended_it():
    assert watch("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").code == 137


@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("/etc/hostname", 126)])
def test_a_command_that_cannot_be_run_is_told_as_a_shell_does(command, code):
    ran = cirron("memory", "watch", "--", command)
    assert (ran.code, ran.out) == (code, "")
    assert command in ran.err


def test_passes_sigterm_on():
    code = "import signal, time; print('ready', flush=True); time.sleep(60)"
    with start("memory", "watch", "--", *PYTHON, code) as running:
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM


def test_gives_the_command_its_input_and_its_options():
    ran = cirron(
        "memory",
        "watch",
        "--",
        *PYTHON,
        "import sys; print(input(), sys.argv[1:])",
        "--json",
        stdin="hello\n",
    )
    assert ran.out.splitlines()[0] == "hello ['--json']"


GROW = """
import time
kept = []
for step in range(120):
    kept.append(b"x" * 1_000_000)
    {then}
    time.sleep(0.02)
"""


def test_tells_of_a_program_that_takes_more_and_more():
    ran = watch(GROW.format(then="pass"))
    assert "growth: it rose by " in ran.out


def test_says_nothing_of_one_that_does_not():
    ran = watch(GROW.format(then="kept.clear()"))
    assert (ran.code, "growth" in ran.out, "At most" in ran.out) == (0, False, True)


def test_reports_on_the_phases_that_the_command_recorded():
    code = (
        "import cirron as ci\n"
        "from stormlog import MemoryTracker\n"
        "ci.profile(frameworks=[])\n"
        "kept = []\n"
        "with MemoryTracker(device='host') as tracker:\n"
        "    for _ in range(40):\n"
        "        with tracker.phase('leaks'): kept.append(b'x' * 1_000_000)\n"
    )
    assert "growth: leaks keeps 1.00 MB at each repetition" in watch(code).out
    assert "leaks" not in watch("pass").out  # that was another run
