"""A run that is looked at again and again while it goes on."""

from pathlib import Path

import msgspec
import pytest

from cirron.spool import glance, read, runs
from cirron.tree import Shape
from cirron.tree.reading_along import ReadingAlong
from support.recording import EPOCH_NS, MS, Recording

SPOOL = Path(".cirron", "spool")


@pytest.fixture
def open_now():
    """The spans that the session has open, as a test says from look to look."""
    return []


@pytest.fixture
def along(open_now):
    first = Recording()
    first.span("prepare", 0, 10)
    first.write(SPOOL)
    reader = read(SPOOL)
    return ReadingAlong(reader, runs(glance(reader))[-1], Shape(), lambda _: open_now)


def still_open(record):
    return msgspec.structs.replace(record, end_ns=None)


def test_a_scope_that_closed_and_is_not_sealed_yet_is_counted_once(along, open_now):
    run = Recording(id_head=1)
    run.span("epoch", 20, 50, index=0)
    run.session(0, 90)
    epoch, session = run.spans
    open_now[:] = [still_open(epoch), still_open(session)]
    along.look()
    open_now[:] = [still_open(session)]  # the epoch has ended, and no batch tells so
    along.look()
    run.spans = [epoch]
    run.write(SPOOL, 2)
    along.look()
    (top,) = along.picture(EPOCH_NS + 100 * MS).scopes()
    (found,) = top.children["epoch"]
    assert (found.count, found.open_count, found.total_ns) == (1, 0, 30 * MS)
