"""Child processes that record: a session of their own, named, and linked to their parent's."""

import pytest

from cirron.spool import read, seal_dead_journals
from support.programs import run_file, run_program, spans_and_endings


def sessions():
    """For each session its worker, whether its parent is there, its spans, and how it ended; main first."""
    seal_dead_journals(".cirron")
    found = {}
    for batch in read(".cirron").batches():
        entry = found.setdefault(batch.session_id, [batch.worker, batch.parent_session_id, []])
        entry[2] += [span.attrs.get("cirron.ended", span.name) for span in batch.spans]
    return sorted(
        (
            [worker, "child" if parent in found else parent, *spans]
            for worker, parent, spans in found.values()
        ),
        key=str,
    )


FORKED = """
import os, sys
import cirron as ci
ci.profile()
with ci.scope("before"): pass
pid = os.fork()
if pid == 0:
    with ci.scope("in the child"):
        ci.mark("loss", 0.5)
    {leave}
os.waitpid(pid, 0)
with ci.scope("after"): pass
"""


class TestAForkedChild:
    @pytest.mark.parametrize(("leave", "ended"), [("os._exit(0)", "killed"), ("sys.exit()", "completed")])
    def test_has_a_session_linked_to_its_parents_and_repeats_nothing_of_it(self, leave, ended):
        result = run_program(FORKED.format(leave=leave))
        assert (result.code, result.stderr) == (0, "")
        main, child = sorted(sessions(), key=lambda session: session[0] is not None)
        assert main == [None, None, "before", "after", "completed"]
        assert child[0].startswith("fork-")
        assert child[1:] == ["child", "in the child", ended]

    def test_that_records_nothing_has_no_session(self):
        script = """
import os
import cirron as ci
ci.profile()
if os.fork() == 0:
    ci.flush(); ci.health(); ci.shutdown()
    os._exit(0)
os.wait()
"""
        assert run_program(script).stderr == ""
        assert sessions() == [[None, None, "completed"]]

    def test_after_shutdown_is_no_worker_of_anybody(self):
        script = """
import os
import cirron as ci
ci.profile(); ci.shutdown()
if os.fork() == 0:
    with ci.scope("nobody's"): pass
    os._exit(0)
os.wait()
"""
        assert run_program(script).stderr == ""
        assert sessions() == [[None, None, "completed"]]

    def test_may_choose_a_folder_of_its_own(self):
        script = """
import os
import cirron as ci
ci.profile()
if os.fork() == 0:
    ci.profile(path="own")
    with ci.scope("own"): pass
    ci.shutdown()
    os._exit(0)
os.wait()
"""
        assert run_program(script).stderr == ""
        assert all(batch.worker.startswith("fork-") for batch in read("own").batches())
        assert spans_and_endings("own") == ["own", "completed"]
        assert sessions() == [[None, None, "completed"]]

    def test_of_a_process_with_many_busy_threads_does_not_hang(self):
        script = """
import os, threading
import cirron as ci
ci.profile(flush_interval=0.01)
stop = threading.Event()
def busy():
    while not stop.is_set():
        with ci.scope("busy"): ci.mark("x", 1)
        ci.health()
threads = [threading.Thread(target=busy) for _ in range(8)]
for thread in threads: thread.start()
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        with ci.scope("in the child"): pass
        ci.health(); ci.shutdown()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
"""
        result = run_program(script)
        assert (result.code, result.stderr) == (0, "")
        children = [session for session in sessions() if session[0] is not None]
        assert [session[1:] for session in children] == [["child", "in the child", "completed"]] * 20

    def test_of_an_own_instance_records_into_a_session_of_that_instance(self):
        script = """
import os
import cirron as ci
own = ci.Cirron(output_dir="own")
own.profile()
if os.fork() == 0:
    with own.scope("in the child"): pass
    own.shutdown()
    os._exit(0)
os.wait()
own.shutdown()
"""
        assert run_program(script).stderr == ""
        spans = [span.name for batch in read("own").batches() for span in batch.spans]
        assert sorted(spans) == ["cirron.session", "cirron.session", "in the child"]


POOL = """
import multiprocessing, os, sys, traceback
import cirron as ci
def survive():
    try: {{}}["x"]
    except KeyError: traceback.print_exc()
def work(number):
    with ci.scope("work", number):
        pass
    if number == 1: {leave}
if __name__ == "__main__":
    ci.profile()
    context = multiprocessing.get_context("{method}")
    children = [context.Process(target=work, args=(number,), name=f"loader-{{number}}") for number in range(2)]
    for child in children: child.start()
    for child in children: child.join()
    with ci.scope("after"): pass
"""


class TestAMultiprocessingChild:
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    @pytest.mark.parametrize(
        ("leave", "ended"),
        [
            ("pass", "completed"),
            ("raise ValueError(number)", "exception: ValueError"),
            ("survive()", "completed"),
            ("os._exit(3)", "killed"),
            ("os.kill(os.getpid(), 15)", "signal: SIGTERM"),
        ],
        ids=["returns", "raises", "survives", "_exit", "SIGTERM"],
    )
    def test_has_a_session_named_after_its_process(self, method, leave, ended, tmp_path):
        (tmp_path / "program.py").write_text(POOL.format(method=method, leave=leave))
        result = run_file("program.py")
        assert result.code == 0
        assert ("ValueError" in result.stderr) == ("ValueError" in leave)
        assert sessions() == [
            ["loader-0", "child", "work", "completed"],
            ["loader-1", "child", "work", ended],
            [None, None, "after", "completed"],
        ]


# Python itself says something of leaked semaphores where a program ends while the thread of a queue gives its own back.
LOADER = """
import threading
import torch
from torch.utils.data import DataLoader, Dataset
import cirron as ci
class Images(Dataset):
    def __len__(self): return 4
    def __getitem__(self, index):
        with ci.scope("decode", index): return torch.zeros(2)
if __name__ == "__main__":
    ci.profile(frameworks=[])
    for batch in DataLoader(Images(), batch_size=2, num_workers=2, multiprocessing_context="{method}"): pass
    for each in threading.enumerate():
        if each.name == "QueueFeederThread": each.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_worker_of_a_torch_dataloader_is_known_by_its_number(method, tmp_path):
    (tmp_path / "program.py").write_text(LOADER.format(method=method))
    result = run_file("program.py")
    assert (result.code, result.stderr) == (0, "")
    assert sessions() == [
        ["0", "child", "decode", "decode", "completed"],
        ["1", "child", "decode", "decode", "completed"],
        [None, None, "completed"],
    ]


def test_a_spawned_worker_of_a_session_that_keeps_nothing_keeps_nothing(tmp_path):
    (tmp_path / "program.py").write_text(
        POOL.format(method="spawn", leave="pass").replace("ci.profile()", 'ci.profile(output="none")')
    )
    assert run_file("program.py").code == 0
    assert not (tmp_path / ".cirron").exists()


TRAINING = """
import multiprocessing, sys
import cirron as ci
def train():
    with ci.scope("train"):
        import torch
        torch.nn.Linear(1, 1)(torch.ones(1, 1)).sum().backward()
    ci.mark("hooked", "cirron.hooks.torch" in sys.modules)
if __name__ == "__main__":
    ci.profile({arguments})
    child = multiprocessing.get_context("spawn").Process(target=train)
    child.start()
    child.join()
"""


@pytest.mark.parametrize(
    ("arguments", "spans"),
    [
        ("", ["forward", "backward", "train"]),
        ("frameworks=['torch']", ["forward", "backward", "train"]),
        ("frameworks=[]", ["train"]),
    ],
)
def test_a_spawned_child_that_records_has_the_hooks_that_its_parent_wanted(arguments, spans, tmp_path):
    (tmp_path / "program.py").write_text(TRAINING.format(arguments=arguments))
    assert run_file("program.py").stderr == ""
    (child,) = (spans for worker, _, *spans in sessions() if worker is not None)
    assert child == [*spans, "completed"]


def test_the_spawned_worker_of_a_dataloader_hooks_nothing(tmp_path):
    (tmp_path / "program.py").write_text(
        LOADER.format(method="spawn")
        .replace("frameworks=[]", "")
        .replace("return torch", "ci.mark('modules', str('cirron.hooks.torch' in sys.modules)); return torch")
        .replace("import torch\n", "import sys, torch\n")
    )
    result = run_file("program.py")
    assert (result.code, result.stderr) == (0, "")
    marks = [mark for batch in read(".cirron").batches() for mark in batch.marks if mark.name == "modules"]
    assert [mark.value for mark in marks] == ["False"] * 4
