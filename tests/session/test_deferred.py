"""Mark values that a device still computes, from the mark to the file."""

import sys
import threading
from types import ModuleType

import pytest

import cirron as ci
from cirron.spool import read
from support.pictures import picture


class Array:
    """A JAX array whose computation ends when the test says so."""

    size = 1

    def __init__(self, value):
        self.value = value
        self.computed = False
        self.waited = False

    def is_ready(self):
        return self.computed

    def item(self):
        self.waited = not self.computed
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@pytest.fixture
def array(monkeypatch):
    """Makes arrays that are being computed."""
    module = ModuleType("jax")
    module.Array = Array
    monkeypatch.setitem(sys.modules, "jax", module)
    return Array


@pytest.fixture
def drain(profiler):
    """One pass of the writer thread, which itself sleeps through the test."""
    return ci.session._the_default()._recording._live.drain


@pytest.fixture
def profiler():
    yield ci.profile(flush_interval=3600)
    ci.shutdown()


def marks_on_disk():
    return [mark.value for batch in read(".cirron").batches() for mark in batch.marks if mark.name == "loss"]


def test_marking_it_does_not_wait(profiler, array):
    value = array(0.5)
    ci.mark("loss", value)
    assert not value.waited


def test_the_writer_leaves_it_until_it_is_computed(profiler, array, drain):
    value = array(0.5)
    ci.mark("loss", value)
    drain.once()
    assert (marks_on_disk(), ci.health()["deferred_count"]) == ([], 1)
    value.computed = True
    drain.once()
    assert (marks_on_disk(), ci.health()["deferred_count"]) == ([0.5], 0)
    assert not value.waited


def test_what_was_marked_after_it_keeps_its_place(profiler, array, drain):
    value = array(0.5)
    with ci.scope("step"):
        ci.mark("loss", value)
    ci.mark("accuracy", 0.75)
    drain.once()
    value.computed = True
    assert picture(ci.trace("dict")) == "cirron.session | accuracy=0.75\n  step | loss=0.5"


def test_the_writer_thread_needs_no_flush(array):
    class Watcher(array):
        passes = threading.Semaphore(0)

        def is_ready(self):
            self.passes.release()
            return False

    ci.profile(flush_interval=0.01)
    ci.mark("loss", 0.5)
    ci.mark("watched", Watcher(0))
    for _ in range(
        3
    ):  # asked by the mark, in a first pass, and in a second: by then the first one has written
        Watcher.passes.acquire()
    assert marks_on_disk() == [0.5]
    ci.shutdown()


def test_flush_waits_for_it(profiler, array):
    value = array(0.5)
    ci.mark("loss", value)
    ci.flush()
    assert value.waited
    assert marks_on_disk() == [0.5]


def test_the_end_of_the_session_waits_for_it(array):
    ci.profile()
    ci.mark("loss", array(0.5))
    ci.shutdown()
    assert marks_on_disk() == [0.5]


def test_a_value_lost_on_its_device_is_null_and_counted(profiler, array, caplog):
    ci.mark("loss", array(RuntimeError("device lost")))
    ci.mark("loss", array(RuntimeError("device lost")))
    ci.flush()
    assert marks_on_disk() == [None, None]
    assert ci.health()["internal_errors"] == {"deferred value": 2}
    assert [record.getMessage() for record in caplog.records] == [
        "a value could not be fetched from its device: device lost (further ones are only counted)"
    ]
