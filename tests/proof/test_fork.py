"""A forked child records into a session of its own, and leaves its parent's as it is."""

import os
import signal
import subprocess
import sys

import pytest

from cirron.spool import seal_dead_journals
from proof.script import HUNG_S, KILLED, picture, run, values

STORM = """
stop = threading.Event()
counts = [0] * 4
def work(lane):
    while not stop.is_set():
        with ci.scope('step', counts[lane], lane=lane):
            sum(range(2000))  # the writer shall keep up
            ci.mark('parent', counts[lane] * 4 + lane)
        counts[lane] += 1
ci.profile({'flush_interval': 0.01}, path=root)
threads = [threading.Thread(target=work, args=(lane,)) for lane in range(4)]
for thread in threads: thread.start()
for number in range(40):
    with ci.scope('fork', number):
        child = os.fork()
        if child == 0:
            with ci.scope('child'):
                ci.mark('child', number)
            ci.flush()
            if number % 2: os._exit(0)
            break
        assert os.waitpid(child, 0)[1] == 0
if child != 0:
    stop.set()
    for thread in threads: thread.join()
    ci.shutdown()
    print(*counts)
else:
    ci.shutdown()
    os._exit(0)
"""


def test_a_storm_of_forks_leaves_the_parents_records_as_they_are(root):
    counts = [int(count) for count in run(STORM, root).split()]
    made = sorted(step * 4 + lane for lane, count in enumerate(counts) for step in range(count))
    assert values(root, "parent") == made
    assert values(root, "child") == list(range(40))
    names = picture(root)
    assert names.count("fork closed") == names.count("child closed") == 40
    assert names.count("step closed") == sum(counts)
    assert names.count("cirron.session closed") == 21
    assert names.count("cirron.session interrupted") == 20  # of those that left by os._exit


def test_a_child_that_exits_as_a_program_does_ends_no_session_of_its_parents(root):
    run(
        "ci.profile(path=root)\n"
        "with ci.scope('step'):\n"
        "    child = os.fork()\n"
        "    if child == 0: sys.exit()\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "ci.mark('after', 1)",
        root,
    )
    assert picture(root) == ["step closed", "cirron.session closed"]
    assert values(root, "after") == [1]


def test_a_child_can_have_a_session_of_its_own(root):
    run(
        "ci.profile(path=root)\n"
        "ci.mark('parent', 0)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    ci.profile(path=root)\n"
        "    with ci.scope('child'): ci.mark('child', 1)\n"
        "    ci.shutdown()\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "ci.mark('parent', 1)",
        root,
    )
    assert (values(root, "parent"), values(root, "child")) == ([0, 1], [1])
    assert picture(root).count("cirron.session closed") == 2


def test_a_child_that_lives_on_does_not_keep_its_dead_parent_from_being_recovered(root):
    child = int(
        run(
            "recorder = new_recorder()\n"
            "recorder.mark('parent', 1)\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    for stream in (0, 1, 2): os.close(stream)\n"
            "    signal.pause()\n"
            "print(child, flush=True)\n"
            "kill()",
            root,
            KILLED,
        )
    )
    try:
        (recovered,) = seal_dead_journals(root)
        assert recovered.marks == 1
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_leave_the_parents_records_as_they_are(root, tmp_path, method):
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, sys\n"
        "import cirron as ci\n"
        "def work(number):\n"
        "    with ci.scope('worker', number): ci.mark('worker', number)\n"
        "    ci.flush()\n"
        "    return number\n"
        "if __name__ == '__main__':\n"
        "    ci.profile(path=sys.argv[1])\n"
        "    with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:\n"
        "        with ci.scope('map'):\n"
        "            for number in pool.imap(work, range(20)): ci.mark('done', number)\n"
        "        pool.close(); pool.join()\n"
    )
    subprocess.run([sys.executable, program, root, method], check=True, timeout=HUNG_S)
    assert values(root, "done") == values(root, "worker") == list(range(20))
    names = picture(root)
    assert (names.count("map closed"), names.count("worker closed")) == (1, 20)
    assert not [name for name in names if name.endswith("interrupted")]
