"""In a subinterpreter cirron can be imported and used; it records nothing, and the main interpreter's records stay."""

import subprocess
import sys
from inspect import cleandoc

import pytest

from cirron._recorder import elsewhere, native
from support.recorders import PROGRAM, tree
from support.spool_pictures import draw

# Of 3.12 on, an isolated one has a GIL of its own.
RUN_IN = cleandoc("""
    import sys
    def run_in(kind, code):
        if sys.version_info < (3, 13):
            import _xxsubinterpreters as interpreters
            interpreter = interpreters.create(isolated=kind == "isolated")
        else:
            import _interpreters as interpreters
            interpreter = interpreters.create(kind)
        failure = interpreters.run_string(interpreter, code)
        assert failure is None, failure
        interpreters.destroy(interpreter)
""")

USE = cleandoc("""
    from cirron._recorder import *
    with scope("sub", 1, a=2), scope("inner") as inner, inner:
        mark("in sub", 1, "summary", b=3)
    mark(), scope()
    @scope("f")
    def f():
        return 3
    assert f() == 3
    loop = batches([1, 2])
    assert list(epochs(loop)) == [1, 2] and len(loop) == 2 and loop and next(loop) == 1 and loop.index(2) == 1
    async def items():
        yield 1
        yield 2
    async def first_and_rest(loop):
        return [await anext(loop), *[item async for item in loop]]
    try:
        first_and_rest(batches(items())).send(None)
        assert False
    except StopIteration as end:
        assert end.value == [1, 2]
    set_default(None), set_starter(f), arm_starter()
    assert not call_in_main_thread(f)
    assert Inference(f, 0) is f and current_request() is None
    assert innermost(("sub",)) is None and scope_unless("sub", (), ()) is None
    try:
        Recorder(spool_dir="", journal_dir=None, batch_fields=b"")
        assert False
    except RuntimeError as error:
        assert "main interpreter" in str(error)
    try:
        recover("journal", "spool")
        assert False
    except OSError as error:
        assert "main interpreter" in str(error)
""")


@pytest.fixture(params=["legacy", "isolated"])
def kind(request):
    """A subinterpreter that shares as much as it can with the main one, or as little."""
    return request.param


def run(root, kind, *body):
    for folder in (root / "spool", root / "journal"):
        folder.mkdir(parents=True)
    script = "\n".join((RUN_IN, f"KIND = {kind!r}", f"USE = {USE!r}", *map(cleandoc, body)))
    command = [sys.executable, "-X", "faulthandler", "-c", script, str(root)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


RECORD = """
    recorder = start()
    with scope("main"):
        for number in range(3):
            run_in(KIND, USE)
            mark("m", number)
            with scope("s", number):
                run_in(KIND, USE)
    recorder.close("completed")
"""

PICTURE = tree("""
    cirron.session
      main | m=0 | m=1 | m=2
        s[0]
        s[1]
        s[2]
""")


def test_one_that_is_at_work_while_the_main_one_records(root, kind):
    run(root, kind, PROGRAM, RECORD)
    assert draw(root / "spool") == PICTURE


def test_one_may_be_the_first_to_import_it(root, kind):
    run(root, kind, "run_in(KIND, USE)", PROGRAM, RECORD)
    assert draw(root / "spool") == PICTURE


def test_one_in_a_thread_of_its_own(root, kind):
    body = """
        import threading
        recorder = start()
        done = threading.Event()
        def elsewhere():
            for _ in range(5):
                run_in(KIND, USE)
            done.set()
        thread = threading.Thread(target=elsewhere)
        thread.start()
        number = 0
        while number < 100 or not done.is_set():
            with scope("s"):
                mark("m", number)
            recorder.wait(0.001)  # lets the other one run: Python 3.11 asks no other interpreter for the GIL
            number += 1
        thread.join()
        recorder.close("completed")
        counters = recorder.counters()
        assert counters["spans_recorded"] == counters["marks_recorded"] == number
    """
    run(root, kind, PROGRAM, body)


def test_there_the_module_has_the_names_that_it_has_in_the_main_one():
    public = {name for name in vars(native) if not name.startswith("_")}
    assert set(elsewhere.__all__) == public
