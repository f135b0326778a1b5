"""Pauses for garbage collection, of a process with hooks."""

import gc
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

import pytest
import torch  # noqa: F401 - there are hooks where a framework is

import cirron as ci
from cirron.hooks import garbage
from support.spool_pictures import batches_of, draw


@pytest.fixture(autouse=True)
def no_collection_by_itself(monkeypatch):
    monkeypatch.setattr(garbage, "LEAST_NS", 1_000_000)
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def pauses():
    """Of each mark, the name of its scope, the mark's value and its attributes."""
    batches = batches_of(Path(".cirron/spool"))
    names = {span.id: span.name for batch in batches for span in batch.spans}
    marks = (mark for batch in batches for mark in batch.marks if mark.name == "gc_pause_ms")
    return [(names[mark.span_id], mark.value, mark.attrs) for mark in marks]


def make_garbage(count):
    for _ in range(count):
        cycle = []
        cycle.append(cycle)


def test_one_of_a_millisecond_is_a_mark_of_the_scope_that_it_held_up():
    ci.profile()
    with ci.scope("forward"):
        make_garbage(100_000)
        collected = gc.collect()
    ci.shutdown()
    ((scope, pause_ms, attrs),) = pauses()
    assert (scope, attrs) == ("forward", {"generation": 2, "collected": collected})
    assert pause_ms >= 1


def test_one_while_a_step_waits_for_a_batch_that_never_comes_does_not_keep_it():
    class Batches:
        def __iter__(self):
            yield 1
            make_garbage(100_000)
            gc.collect()

    ci.profile()
    for _ in ci.epochs(range(1)):
        for _ in ci.batches(Batches()):
            pass
    ci.shutdown()
    assert [scope for scope, _, _ in pauses()] == ["epoch"]
    assert draw(Path(".cirron/spool")) == cleandoc("""
        cirron.session
          epoch[0]
            batch[0]
    """)


def test_a_short_one_is_none(monkeypatch):
    monkeypatch.setattr(garbage, "LEAST_NS", 10**12)
    ci.profile()
    gc.collect(0)
    ci.shutdown()
    assert pauses() == []


def test_without_hooks_and_after_the_session_nobody_listens():
    before = list(gc.callbacks)
    ci.profile(frameworks=[])
    assert gc.callbacks == before
    ci.shutdown()
    ci.profile()
    assert len(gc.callbacks) == len(before) + 1
    ci.shutdown()
    assert gc.callbacks == before


def test_ctrl_c_while_garbage_is_collected_reaches_the_program(tmp_path):
    (tmp_path / "program.py").write_text(
        cleandoc("""
            import ctypes, functools, gc, os, signal, torch, cirron as ci
            class PressesCtrlC:
                # Native, for the next line of Python hears of it.
                press = functools.partial(ctypes.CDLL(None).kill, os.getpid(), signal.SIGINT)
                __del__ = staticmethod(press)
            recorders = [ci.Cirron(output_dir="other"), ci]
            gc.disable()
            for recorder in recorders:
                recorder.profile()
                garbage = PressesCtrlC()
                garbage.itself = garbage
                del garbage
                try:
                    gc.collect()
                except KeyboardInterrupt:
                    print("heard")
                recorder.shutdown()
        """)
    )
    ran = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "heard\nheard\n", "")


def test_two_sessions_listen_once_and_the_second_takes_over(tmp_path):
    before = list(gc.callbacks)
    other = ci.Cirron(output_dir=tmp_path / "other")
    ci.profile()
    other.profile()
    assert len(gc.callbacks) == len(before) + 1
    ci.shutdown()
    with other.scope("step"):
        make_garbage(100_000)
        gc.collect()
    other.shutdown()
    assert gc.callbacks == before
    assert pauses() == []
    marks = [
        mark
        for batch in batches_of(tmp_path / "other/spool")
        for mark in batch.marks
        if mark.name == "gc_pause_ms"
    ]
    assert len(marks) == 1


def test_in_a_forked_child_they_begin_no_session_and_belong_to_the_one_it_begins(tmp_path):
    (tmp_path / "program.py").write_text(
        cleandoc("""
            import gc, multiprocessing, torch, cirron as ci
            def work(records):
                if records:
                    with ci.scope("in the child"):
                        collect()
                collect()
            def collect():
                cycles = [[] for _ in range(100_000)]
                for cycle in cycles:
                    cycle.append(cycle)
                del cycles, cycle
                gc.collect()
            gc.disable()
            ci.profile()
            for records in (False, True):
                child = multiprocessing.get_context("fork").Process(target=work, args=(records,))
                child.start()
                child.join()
        """)
    )
    subprocess.run([sys.executable, "program.py"], check=True, timeout=120)
    assert sorted(scope for scope, _, _ in pauses()) == ["cirron.session", "in the child"]
    assert len({batch.session_id for batch in batches_of(Path(".cirron/spool"))}) == 2
