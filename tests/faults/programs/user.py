"""What the programs of the faults share: a training loop that keeps its own books, and a line to the test.

The books (`FAULTS_BOOKS`) are a mapped file with one byte for each step of each lane, a lane being a thread, a task
or a process. A byte is set after the call that it tells of has returned (`BEGUN`: before the first call), so they
are true whenever the program is stopped. The line (`FAULTS_LINE`) is a socket without a file.
"""

import atexit
import json
import logging
import mmap
import os
import socket
import sys
import time
from pathlib import Path

import cirron as ci

BEGUN, MARKED, CLOSED = 1, 2, 3
STEPS = int(os.environ.get("FAULTS_STEPS", "0"))
LINE = os.environ.get("FAULTS_LINE", "")
ROOT = Path(".cirron").absolute()

if "FAULTS_BOOKS" in os.environ:
    with Path(os.environ["FAULTS_BOOKS"]).open("r+b") as file:
        books = mmap.mmap(file.fileno(), 0)
logging.basicConfig(format="%(name)s|%(levelname)s|%(message)s")
_noting = True
_line = (0, -1)  # the process that opened it, its descriptor


def step(lane, number, effort=500):
    """One step: a scope with a mark in it."""
    at = lane * STEPS + number
    books[at] = BEGUN
    with ci.scope("step", number, lane=lane):
        sum(range(effort))
        ci.mark("loss", number, lane=lane)
        _note(at, MARKED)
    _note(at, CLOSED)


def close_the_books():
    """From here on the session may be over: steps are noted as begun, but not as recorded for sure."""
    global _noting
    _noting = False


def _note(at, what):
    if _noting:
        books[at] = what


def train(steps, lane=0, effort=500):
    """So many steps more in a lane."""
    first = steps_begun(lane)
    for number in range(first, first + steps):
        step(lane, number, effort)


def train_on(lane=0):
    """Train until the process ends, with pauses in which everybody else gets their turn."""
    while True:
        if steps_begun(lane) < STEPS - 200:
            train(200, lane, effort=100)
        time.sleep(0.001)


def steps_begun(lane):
    """The number of the first step that was never begun."""
    return books.find(b"\0", lane * STEPS, (lane + 1) * STEPS) - lane * STEPS


def moment(name):
    """Tell the test that this point is reached, and go on once it has done what it does then."""
    _say({"moment": name})


def until(condition, pause_s=0.005):
    """Train on, ten steps at a time, until a condition holds; without a recorder, one round."""
    train(10)
    while ci.health() and not condition():
        time.sleep(pause_s)
        train(10)


def keep_health():
    """Tell the test what `health()` says now."""
    _say({"health": ci.health()})


def _say(message):
    os.write(line_descriptor(), json.dumps({"pid": os.getpid(), **message}).encode())
    os.read(line_descriptor(), 16)


def line_descriptor():
    """This process's own end of the line."""
    global _line
    if _line[0] != os.getpid():
        line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.connect("\0" + LINE)
        _line = (os.getpid(), line.detach())
    return _line[1]


line_descriptor()  # now, for the program may run out of descriptors or memory
atexit.register(keep_health)  # before profile(): so it runs after the session has ended
sys.dont_write_bytecode = True
