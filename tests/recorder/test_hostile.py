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
