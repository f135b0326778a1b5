"""Forks while batches are being sent."""

import subprocess
import sys
from pathlib import Path

from delivery.setup import KEY

SLOW_MODULE = """
import program, time
program.is_importing.set()
time.sleep(0.3)
done = True
"""

FORK_DURING_IMPORT = """
import os, signal, sys, threading
sys.modules["program"] = sys.modules["__main__"]
from cirron.delivery.forks import forks_put_off

is_importing = threading.Event()

def import_slowly():
    with forks_put_off():
        import slow

thread = threading.Thread(target=import_slowly)
thread.start()
is_importing.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)  # without the precaution the next line waits for ever
    import slow
    os._exit(0 if slow.done else 1)
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
child = os.fork()
if child == 0:
    with forks_put_off():
        os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

FORK_DURING_EVENT = """
import fcntl, os, signal, sys, threading
from cirron.delivery.event_stream import EventStream

reader, writer = os.pipe()
printed = os.dup(1)
os.dup2(writer, 1)
fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 4096)
stream = EventStream()
line = b"{" + b" " * 3_000_000 + b"}"  # more than any pipe holds, so the write lasts as long as nobody reads
thread = threading.Thread(target=stream.deliver, args=("b3" * 16, line))
thread.start()
os.read(reader, 1)  # it is under way

def read_the_rest():
    left = len(line)
    while left > 0:
        left -= len(os.read(reader, 65536))

threading.Timer(0.3, read_the_rest).start()  # while the fork waits, if it does
child = os.fork()
if child == 0:
    signal.alarm(20)  # without the precaution the next line waits for ever
    os.dup2(printed, 1)
    print("child prints", flush=True)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=sys.stderr)
thread.join()
os._exit(0)
"""

FORK_WITH_CONNECTION = """
import os, sys
from cirron.delivery.http import HttpTransport
transport = HttpTransport(sys.argv[1], sys.argv[2], "1.0.0")
print(transport.deliver("b3" * 16, b"{}"))
sys.stdout.flush()
if os.fork() == 0:
    print("child ends")
    sys.exit(0)
os.wait()
print(transport.deliver("b3" * 16, b"{}"))
transport.close()
"""


def run(program, *arguments):
    options = ["-X", "dev", "-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *options, "-c", program, *arguments], capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def test_a_child_forked_while_the_sender_imports_can_import_too():
    Path("slow.py").write_text(SLOW_MODULE)
    assert run(FORK_DURING_IMPORT) == (0, "0\n7\n", "")


def test_a_child_forked_while_an_event_is_written_can_print(monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    assert run(FORK_DURING_EVENT) == (0, "child prints\n", "0\n")


def test_a_forked_child_ends_in_silence_and_its_parents_connection_lives_on(server):
    said = run(FORK_WITH_CONNECTION, server.url, KEY)
    assert said == (0, "Delivered()\nchild ends\nDelivered()\n", "")
    assert len({request.connection for request in server.requests}) == 1
