"""Sessions and threads that come and go thousands of times leave nothing behind in the process."""

from proof.script import run

HELD = """
def held():
    status = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
    descriptors, threads = (len(os.listdir(f'/proc/self/{kind}')) for kind in ('fd', 'task'))
    mappings = len(Path('/proc/self/maps').read_text().splitlines())
    return descriptors, mappings, threads, int(status['RssAnon'].split()[0])
def report(before, after):
    print('descriptors', after[0] - before[0])
    print('mappings', 'grew' if after[1] > before[1] + 10 else 'same')
    print('threads', after[2] - before[2])
    print('memory', 'grew' if after[3] > before[3] + 4096 else 'same')
"""
NOTHING = "descriptors 0\nmappings same\nthreads 0\nmemory same\n"


def test_recorders_made_and_closed(root):
    said = run(
        HELD + "for number in range(1000):\n"
        "    recorder = new_recorder(ring_marks=64)\n"
        "    with recorder.scope('step', number, text='text'): recorder.mark(f'mark {number}', number)\n"
        "    recorder.drain() if number % 3 else None\n"
        "    recorder.close('completed')\n"
        "    for path in spool.iterdir(): path.unlink()\n"
        "    if number == 300: before = held()\n"
        "report(before, held())\n"
        "print(list(journals.iterdir()))",
        root,
    )
    assert said == NOTHING + "[]\n"


def test_recorders_that_are_forgotten_instead_of_closed(root):
    said = run(
        HELD + "for number in range(300):\n"
        "    recorder = new_recorder(ring_marks=64)\n"
        "    recorder.mark('loss', number)\n"
        "    del recorder\n"
        "    if number == 100: before = held()\n"
        "report(before, held())",
        root,
    )
    assert said == NOTHING


def test_profile_and_shutdown(root):
    said = run(
        HELD + "for number in range(300):\n"
        "    ci.profile(path=root)\n"
        "    with ci.scope('step', number): ci.mark('loss', number)\n"
        "    ci.shutdown()\n"
        "    for path in spool.iterdir(): path.unlink()\n"
        "    if number == 100: before = held()\n"
        "report(before, held())",
        root,
    )
    assert said == NOTHING


def test_threads_that_record_at_once_and_end_leave_the_journal_as_large_as_it_was(root):
    """Each round begins when the threads of the round before are gone from the system too."""
    said = run(
        "recorder = new_recorder()\n"
        "def work(barrier):\n"
        "    with recorder.scope('step'): barrier.wait()\n"
        "def gone():\n"
        "    while len(os.listdir('/proc/self/task')) > 1: os.sched_yield()\n"
        "sizes = []\n"
        "for number in range(100):\n"
        "    barrier = threading.Barrier(8)\n"
        "    threads = [threading.Thread(target=work, args=(barrier,)) for _ in range(8)]\n"
        "    for thread in threads: thread.start()\n"
        "    for thread in threads: thread.join()\n"
        "    gone()\n"
        "    sizes.append(os.stat(recorder.journal_path).st_size)\n"
        "print('grew by', sizes[-1] - sizes[1], 'bytes in 98 rounds')\n"
        "recorder.close('completed')",
        root,
    )
    assert said == "grew by 0 bytes in 98 rounds\n"
