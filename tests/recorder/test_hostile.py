"""Programs that end, fork or recurse at the worst moment."""

from cirron.spool import read
from support.recorders import run_program
from support.spool_checks import assert_valid_spool


def run(root, body):
    result = run_program(root, body)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_a_daemon_thread_may_be_marking_when_the_interpreter_ends(root):
    """The interpreter ends such a thread where it asks for the GIL, here inside of a value's conversion."""
    for _ in range(5):
        run(
            root,
            """
            import decimal, threading
            start()
            marked = threading.Event()
            def forever():
                while True:
                    mark("m", decimal.Decimal(1))
                    marked.set()
            for _ in range(4):
                threading.Thread(target=forever, daemon=True).start()
            marked.wait()
            """,
        )


def test_a_module_that_is_imported_again_leaves_fork_in_order(root):
    out = run(
        root,
        """
        import os, sys
        del sys.modules["cirron._recorder.native"]
        import cirron._recorder.native
        child = os.fork()
        if child == 0:
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
    )
    assert out.strip() == "7"


def test_a_str_that_marks_may_be_nested_as_deep_as_python_allows(root):
    run(
        root,
        """
        class Deep:
            def __init__(self, depth):
                self.depth = depth
            def __str__(self):
                if self.depth:
                    mark("m", 1, value_of=Deep(self.depth - 1))
                return str(self.depth)
        recorder = start()
        mark("m", 1, value_of=Deep(300))
        assert recorder.counters()["marks_recorded"] == 0
        recorder.drain()
        assert recorder.counters()["marks_recorded"] == 301
        recorder.close("completed")
        """,
    )
    assert_valid_spool(root / "spool")


def test_a_key_whose_end_ends_the_session(root):
    """Attribute keys may be of a subclass of str, and the table of names must not outlive them."""
    run(
        root,
        """
        class Key(str):
            def __del__(self):
                recorder.close("completed")
        recorder = start()
        with scope("s", **{Key("key"): 1}):
            pass
        for number in range(5000):
            with scope(f"name{number}"):
                pass
        """,
    )
    assert_valid_spool(root / "spool")


def test_a_batch_is_sealed_early_when_there_is_no_memory_to_collect_more(root):
    out = run(
        root,
        """
        import resource
        recorder = start()
        for number in range(60_000):
            mark("m", number, text="x" * 200)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 8 * 2**20, resource.RLIM_INFINITY))
        recorder.drain()
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        counters = recorder.counters()
        print(counters["marks_recorded"], counters["marks_dropped"], counters["batches_sealed"] > 1)
        recorder.close("completed")
        """,
    )
    recorded, dropped, sealed_early = out.split()
    assert sealed_early == "True"
    assert_valid_spool(root / "spool")
    found = sum(len(batch.marks) for batch in read(root / "spool").batches())
    assert (int(recorded), found) == (60_000, 60_000 - int(dropped))


def test_what_a_thread_without_memory_for_a_ring_does_not_record_is_counted(root):
    out = run(
        root,
        """
        import resource, threading
        recorder = start(ring_marks=2**22)
        go_on = threading.Event()
        def work():
            go_on.wait()
            for number in range(3):
                with scope("s", number):
                    mark("m", number)
            list(batches([1, 2]))
        thread = threading.Thread(target=work)
        thread.start()
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 64 * 2**20, resource.RLIM_INFINITY))
        go_on.set()
        thread.join()
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        counters = recorder.counters()
        print(counters["spans_recorded"], counters["spans_dropped"])
        print(counters["marks_recorded"], counters["marks_dropped"])
        mark("m", 1)
        recorder.close("completed")
        """,
    )
    # The third item of the loop is the one that does not come; whoever could not open its scope cannot know.
    assert out.split() == ["6", "6", "3", "3"]
    (batch,) = read(root / "spool").batches()
    assert (batch.counters.spans_dropped, batch.counters.marks_dropped) == (6, 3)


def close_all_descriptors(root, body):
    """Run a script that closes them, as daemons do, and opens a file of its own with the number of the journal's."""
    return run(
        root,
        """
        import os, threading
        recorder = start()
        mark("before", 1)
        (journal,) = (fd for fd in range(3, 256) if os.path.realpath(f"/proc/self/fd/{fd}").endswith(".journal"))
        os.closerange(3, 256)
        own = os.open(ROOT + "/own", os.O_RDWR | os.O_CREAT)
        os.dup2(own, journal)
        def on_a_new_thread():
            thread = threading.Thread(target=lambda: [mark("of a new thread", number) for number in range(3)])
            thread.start()
            thread.join()
        """
        + body,
    )


def test_a_program_may_close_every_descriptor_and_open_files_of_its_own(root):
    out = close_all_descriptors(
        root,
        """
        on_a_new_thread()
        print(recorder.journal_intact, recorder.journal_kind)
        print(recover(recorder.journal_path, ROOT + "/spool"))
        recorder.close("completed")
        del recorder
        set_default(None)
        os.write(journal, b"still mine")
        print(os.listdir(ROOT + "/journal"), open(ROOT + "/own").read())
        """,
    )
    assert out.splitlines() == ["True file", "None", "[] still mine"]
    assert_valid_spool(root / "spool")
    assert sum(len(batch.marks) for batch in read(root / "spool").batches()) == 4


def test_a_journal_that_is_closed_and_gone_gets_no_more_rings(root):
    out = close_all_descriptors(
        root,
        """
        os.rename(recorder.journal_path, ROOT + "/moved")
        open(recorder.journal_path, "w").write("of somebody else")
        on_a_new_thread()
        print(recorder.journal_intact, recorder.journal_kind)
        print(os.path.getsize(recorder.journal_path), os.path.getsize(ROOT + "/own"))
        os.remove(recorder.journal_path)
        recorder.close("completed")
        """,
    )
    assert out.splitlines() == ["False partly anonymous (No such file or directory)", "16 0"]
    assert sum(len(batch.marks) for batch in read(root / "spool").batches()) == 4
