"""Signals and finalizers that come in between, and record themselves, break nothing."""

from collections import Counter

from cirron.spool import read
from proof.script import picture, run, values


def test_a_signal_handler_may_record_and_flush_while_it_interrupts_a_flush(root):
    said = run(
        "handled = 0\n"
        "def handler(*_):\n"
        "    global handled\n"
        "    with ci.scope('handler', handled): ci.mark('handled', handled)\n"
        "    handled += 1\n"
        "    ci.flush(); ci.health()\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.0001 + handled % 20 * 0.00005)\n"
        "ci.profile(path=root)\n"
        "signal.signal(signal.SIGALRM, handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001)\n"
        "number = 0\n"
        "while handled < 150:\n"
        "    with ci.scope('step', number): ci.mark('loss', number)\n"
        "    ci.flush()\n"
        "    number += 1\n"
        "signal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
        "ci.shutdown()\n"
        "print(number, handled)",
        root,
    )
    steps, handled = (int(word) for word in said.split())
    assert values(root, "loss") == list(range(steps))
    assert values(root, "handled") == list(range(handled))


def test_a_signal_handler_may_end_the_session_in_the_middle_of_a_flush(root):
    """Again and again, for the moment is random."""
    run(
        "signal.signal(signal.SIGALRM, lambda *_: ci.shutdown())\n"
        "for number in range(100):\n"
        "    profiler = ci.profile(path=root)\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.0005 + number % 10 * 0.0001)\n"
        "    while profiler.enabled:\n"
        "        ci.mark('loss', number); ci.flush()",
        root,
    )
    assert set(values(root, "loss")) == set(range(100))
    assert picture(root) == ["cirron.session closed"] * 100


def test_ctrl_c_at_any_moment_reaches_the_program_and_breaks_no_record(root):
    said = run(
        "import random, time\n"
        "ci.profile({'flush_interval': 0.01}, path=root)\n"
        "done = caught = 0\n"
        "stop = False\n"
        "def press():\n"
        "    while not stop:\n"
        "        time.sleep(random.uniform(0, 0.003))\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "thread = threading.Thread(target=press, daemon=True)\n"
        "started = False\n"
        "while caught < 300:\n"
        "    try:\n"
        "        if not started:\n"
        "            started = True; thread.start()\n"
        "        while True:\n"
        "            with ci.scope('step', done, text=str(done)):\n"
        "                sum(range(2000))  # the writer shall keep up\n"
        "                for _ in ci.batches([done]):\n"
        "                    ci.mark('loss', done)\n"
        "                done += 1\n"
        "    except KeyboardInterrupt:\n"
        "        caught += 1\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "stop = True\n"
        "thread.join()\n"
        "print(done, ci.health()['scope_depth'])\n"
        "ci.shutdown()",
        root,
    )
    done, depth = (int(word) for word in said.split())
    assert depth == 0
    steps = [span for batch in read(root).batches() for span in batch.spans if span.name == "step"]
    assert {span.index for span in steps} == set(range(done)) | {
        span.index for span in steps if span.index == done
    }
    assert all(span.attrs["text"] == str(span.index) for span in steps)
    assert {span.attrs.get("error") for span in steps} == {None, "KeyboardInterrupt"}
    finished = Counter(span.index for span in steps if "error" not in span.attrs)
    assert set(finished.values()) == {1}
    assert set(range(done)) <= set(values(root, "loss"))


def test_finalizers_and_collections_in_the_middle_of_recording_may_record(root):
    said = run(
        "import gc\n"
        "made = [0] * 8\n"
        "class Noisy:\n"
        "    def __init__(self, lane): self.lane, self.self = lane, self\n"
        "    def __str__(self):\n"
        "        with ci.scope('text'): gc.collect(0)\n"
        "        return 'noisy'\n"
        "    def __del__(self):\n"
        "        with ci.scope('finalizer', self.lane): ci.mark('gone', 1)\n"
        "def work(lane):\n"
        "    for step in range(300):\n"
        "        with ci.scope('step', step, noisy=Noisy(lane)):\n"
        "            ci.mark('loss', step, noisy=Noisy(lane))\n"
        "        if step % 10 == 0: gc.collect()\n"
        "gc.set_threshold(3, 2, 2)\n"
        "ci.profile({'flush_interval': 0.01}, path=root)\n"
        "threads = [threading.Thread(target=work, args=(lane,)) for lane in range(8)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "gc.collect()\n"
        "ci.shutdown()",
        root,
    )
    assert said == ""
    assert Counter(picture(root)) == {
        "step closed": 2400,
        "text closed": 4800,
        "finalizer closed": 4800,
        "cirron.session closed": 1,
    }
    assert (len(values(root, "loss")), len(values(root, "gone"))) == (2400, 4800)
