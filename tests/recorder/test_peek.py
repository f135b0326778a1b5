"""What is open in the journal of another process: read while that records on, and without it noticing."""

import contextlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from cirron._recorder import elsewhere, peek, recover, scope
from cirron.spool import Span
from support.recorders import run_program, start_program, tree
from support.spool_pictures import batches_of, draw
from support.system_calls import DIE_AT

BLOCK_BYTES = 65_536
RING, FRAMES = 2, 3  # types of blocks, as layout.hpp numbers them

OPEN_IN_TWO_THREADS = """
    import threading
    recorder = start(rank=3)
    opened, done = threading.Event(), threading.Event()
    def work():
        with scope("in thread", 1, text="x" * 200, number=0.5):
            with scope("closed"):
                pass
            opened.set()
            done.wait()
    thread = threading.Thread(target=work)
    thread.start()
    opened.wait()
    with scope("outer", 7, note="open"), scope("many", **{f"key{i}": "y" * 200 for i in range(50)}):
        mark("m", 1)
        print(recorder.open_spans().decode().replace("\\n", ""), flush=True)
        input()
    done.set()
    thread.join()
    recorder.close("completed")
"""

DIE = "\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)"


def journal_of(root: Path) -> Path:
    (journal,) = (root / "journal").glob("*.journal")
    return journal


def spans_in(journal: Path) -> list[Span]:
    """What is open, by the type that readers of a spool have for it."""
    return msgspec.json.decode(peek(str(journal)), type=list[Span])


def names_in(journal: Path) -> list[str]:
    return [span.name for span in spans_in(journal)]


@pytest.fixture
def recording(root):
    """Starts programs that say a line when they are ready and go on after another; ended after the test."""
    processes = []

    def start(body: str) -> subprocess.Popen[str]:
        processes.append(start_program(root, tree(body)))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def killed(root: Path, body: str) -> Path:
    result = run_program(root, tree(body) + DIE)
    assert (result.returncode, result.stderr) == (-signal.SIGKILL, "")
    return journal_of(root)


class TestALiveSession:
    def test_says_the_same_as_its_own_process(self, root, recording):
        process = recording(OPEN_IN_TWO_THREADS)
        own = json.loads(process.stdout.readline())
        assert json.loads(peek(str(journal_of(root)))) == own
        assert [span["name"] for span in own].count("closed") == 0
        assert {span["name"] for span in own} == {"in thread", "outer", "many", "cirron.session"}

    def test_does_not_notice(self, root, recording):
        process = recording(OPEN_IN_TWO_THREADS)
        process.stdout.readline()
        journal = journal_of(root)
        before = journal.read_bytes()
        for _ in range(10):
            peek(str(journal))
        assert journal.read_bytes() == before
        assert process.communicate("\n") == ("", "")
        assert list((root / "journal").iterdir()) == []
        (batch,) = batches_of(root / "spool")
        assert len(batch.spans) == 5

    def test_can_be_asked_from_its_own_process(self, session):
        with scope("outer"), scope("inner", 1):
            spans = peek(session.recorder.journal_path)
            assert json.loads(spans) == json.loads(session.recorder.open_spans())
        assert names_in(Path(session.recorder.journal_path)) == ["cirron.session"]

    def test_leaves_no_file_open_in_who_asks(self, session):
        before = len(list(Path("/dev/fd").iterdir()))
        peek(session.recorder.journal_path)
        with pytest.raises(FileNotFoundError):
            peek("nothing here")
        assert len(list(Path("/dev/fd").iterdir())) == before

    def test_keeps_the_times_of_the_batches(self, session):
        with scope("long"):
            (peeked, _) = spans_in(Path(session.recorder.journal_path))
        assert (peeked.start_ns, peeked.id) == (session.span("long").start_ns, session.span("long").id)

    def test_has_scopes_whose_parent_has_closed(self, session):
        outer = scope("outer")
        outer.__enter__()
        inner = scope("inner")
        inner.__enter__()
        outer.__exit__(None, None, None)
        inner_span, root_span = spans_in(Path(session.recorder.journal_path))
        assert (inner_span.name, root_span.name) == ("inner", "cirron.session")
        inner.__exit__(None, None, None)
        assert inner_span.parent_id == session.span("outer").id

    def test_whose_name_table_is_full_says_the_names_all_the_same(self, session):
        for number in range(70_000):
            with scope(f"scope {number}"):
                pass
        with scope("one too many", key_too_many=1):
            (span, _) = spans_in(Path(session.recorder.journal_path))
        assert (span.name, span.attrs) == ("one too many", {"key_too_many": 1})


# In each thread, a scope's number is its attribute's too, and its child's.
BUSY = """
    import pathlib, sys, threading
    sys.setswitchinterval(0.00005)
    recorder = start(ring_marks=4096)
    done = False
    def work():
        number = 0
        while not done:
            number += 1
            with scope("a", number, value=number), scope("b", number, value=number, text=f"{number:0200}"):
                for _ in batches(range(2)):
                    with scope("c", number, value=number):
                        for _ in range(10):
                            pass
    def drain():
        while not done:
            recorder.wait(1)
            recorder.drain()
            for path in pathlib.Path(recorder.journal_path).parent.parent.glob("spool/*.json"):
                path.unlink()  # hundreds of megabytes a second, which nobody reads
    threads = [threading.Thread(target=work) for _ in range(4)] + [threading.Thread(target=drain)]
    for thread in threads:
        thread.start()
    print(flush=True)
    input()
    done = True
    for thread in threads:
        thread.join()
    recorder.close("completed")
"""

PARENTS = {
    "a": "cirron.session",
    "b": "a",
    "batch": "b",
    "c": "batch",
    "batch.end": "b",
    "cirron.session": None,
}


def wrong_with(spans: list[Span]) -> list[str]:
    by_id = {span.id: span for span in spans}
    wrong = [] if len(by_id) == len(spans) else ["an id comes twice"]
    for span in spans:
        parent = by_id.get(span.parent_id)
        if (parent.name if parent else None) != PARENTS[span.name]:
            wrong.append(f"{span.name} is below {parent}")
        elif parent is not None:
            wrong += wrong_between(parent, span)
    return wrong


def wrong_between(parent: Span, span: Span) -> list[str]:
    wrong = [] if parent.start_ns <= span.start_ns else [f"{span} began before {parent}"]
    if parent.name != "cirron.session" and parent.thread_id != span.thread_id:
        wrong.append(f"{span} is of another thread than {parent}")
    numbers = {span.attrs.get("value", span.index), int(span.attrs.get("text", span.attrs.get("value", 0)))}
    if span.name in "abc" and numbers != {span.index}:
        wrong.append(f"{span} is of two scopes")
    if (span.name, parent.name) == ("b", "a") and span.index != parent.index:
        wrong.append(f"{span} is not of {parent}")
    return wrong


class TestABusySession:
    def test_is_never_seen_torn(self, root, recording):
        process = recording(BUSY)
        process.stdout.readline()
        journal = journal_of(root)
        seen: Counter[str] = Counter()
        for _ in range(2000):
            spans = spans_in(journal)
            seen.update(span.name for span in spans)
            assert not wrong_with(spans)
        assert seen["cirron.session"] == 2000
        assert min(seen[name] for name in ("a", "b", "batch", "c")) > 0
        _, errors = process.communicate("\n")
        assert (process.returncode, errors) == (0, "")

    def test_may_end_meanwhile(self, root, recording):
        process = recording(BUSY)
        process.stdout.readline()
        journal = journal_of(root)
        process.stdin.write("\n")
        process.stdin.flush()
        wrong = []
        while journal.exists():
            with contextlib.suppress(FileNotFoundError):
                wrong += wrong_with(spans_in(journal))
        assert not wrong


class TestADeadProcess:
    def test_leaves_what_was_open(self, root):
        journal = killed(root, OPEN_IN_TWO_THREADS.replace("input()", "import os; os.kill(os.getpid(), 9)"))
        peeked = spans_in(journal)
        recover(str(journal), str(root / "spool"))
        (batch,) = batches_of(root / "spool")
        recovered = {span.id: span for span in batch.spans if span.end_ns is None}
        assert {span.id: span.start_ns for span in peeked} == {
            span.id: span.start_ns for span in recovered.values()
        }
        assert {span.name for span in peeked} == {"in thread", "outer", "many", "cirron.session"}

    def test_can_still_be_recovered(self, root):
        journal = killed(
            root, "recorder = start()\nopen_scope = scope('open')\nopen_scope.__enter__()\nmark('m', 1)"
        )
        before = journal.read_bytes()
        assert names_in(journal) == ["open", "cirron.session"]
        assert journal.read_bytes() == before
        recover(str(journal), str(root / "spool"))
        assert draw(root / "spool") == "cirron.session (interrupted)\n  open (interrupted) | m=1"

    def test_that_died_in_the_instant_of_closing_had_the_scope_open(self, root):
        journal = killed(root, "recorder = start()\nwith scope('closing'):\n    pass")
        content = bytearray(journal.read_bytes())
        (ring,) = blocks_of(content, RING)
        content[ring + 64 : ring + 72] = bytes(8)  # as if its head had not moved
        journal.write_bytes(content)
        assert names_in(journal) == ["closing", "cirron.session"]
        recover(str(journal), str(root / "spool"))

    @pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
    @pytest.mark.parametrize("call", ['"rename"', '"openat", 2, os.O_RDONLY | os.O_CLOEXEC'])
    def test_whose_last_batch_was_written_has_nothing_open(self, root, call):
        body = f"""
            recorder = start(fsync=True)
            open_scope = scope("open")
            open_scope.__enter__()
            die_at({call})
            recorder.close("completed")
        """
        result = run_program(root, DIE_AT + "\n" + tree(body))
        assert result.returncode == -signal.SIGSYS, result.stderr
        journal = journal_of(root)
        assert peek(str(journal)) == b"[]"
        recover(str(journal), str(root / "spool"))


class TestForeignFiles:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "shorter than a journal's header"),
            (b"x", "shorter than a journal's header"),
            (b"not a journal" * 10_000, "does not begin like a journal"),
            (bytes(BLOCK_BYTES), "does not begin like a journal"),
            (b"CIRRJRN1" + bytes(100_000), "journal version 0"),
            (b"CIRRJRN1\7\0\0\0" + b"\xff" * 100_000, "header is damaged"),
        ],
    )
    def test_are_refused(self, tmp_path, content, reason):
        path = tmp_path / "foreign.journal"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=reason):
            peek(str(path))

    def test_of_a_later_version_are_refused_as_by_a_recovery(self, root):
        journal = killed(root, "recorder = start()")
        content = bytearray(journal.read_bytes())
        content[8] += 1
        journal.write_bytes(content)
        with pytest.raises(ValueError, match="version") as peeked:
            peek(str(journal))
        with pytest.raises(ValueError, match="version") as recovered:
            recover(str(journal), str(root / "spool"))
        assert str(peeked.value) == str(recovered.value)

    def test_folders_and_missing_files_are_errors_of_the_system(self, tmp_path):
        with pytest.raises(IsADirectoryError):
            peek(str(tmp_path))
        with pytest.raises(FileNotFoundError):
            peek(str(tmp_path / "missing.journal"))

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "a pipe")
        with pytest.raises(ValueError, match="shorter"):
            peek(str(tmp_path / "a pipe"))

    def test_are_not_read_from_a_subinterpreter(self, tmp_path):
        with pytest.raises(OSError, match="main interpreter"):
            elsewhere.peek(str(tmp_path / "any.journal"))

    def test_paths_that_are_none_are_wrong_arguments(self):
        with pytest.raises(TypeError):
            peek(7)
        with pytest.raises(ValueError, match="null"):
            peek("a\0b")


def blocks_of(journal: bytes | bytearray, block_type: int) -> list[int]:
    """Where the blocks of one type begin."""
    places = range(BLOCK_BYTES, len(journal), BLOCK_BYTES)
    return [at for at in places if journal[at : at + 4] == bytes([block_type, 0, 0, 0])]


PEEK_ALL = """
import sys
from pathlib import Path
import msgspec
from cirron._recorder import peek
from cirron.spool import Span
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.name, flush=True)
    try:
        msgspec.json.decode(peek(str(path)), type=list[Span])
    except (ValueError, OSError):
        pass
"""

RESIZE = """
import os, sys, threading
from cirron._recorder import peek
content = open(sys.argv[1], "rb").read()
def resize():
    while not done.is_set():
        for size in (100_000, 65_536, 10, 0, len(content)):
            os.truncate(sys.argv[1], size)
        with open(sys.argv[1], "r+b") as file:
            file.write(content)
done = threading.Event()
thread = threading.Thread(target=resize)
thread.start()
seen = set()
for _ in range(3000):
    try:
        seen.add(type(peek(sys.argv[1])))
    except ValueError as error:
        seen.add(type(error))
done.set()
thread.join()
print(len(seen))
"""


class TestDamagedJournals:
    """They give spans or an exception that says why, and never a crash."""

    @pytest.fixture
    def journal(self, root) -> Path:
        body = """
            recorder = start()
            attrs = {f"key{i}": "x" * i for i in range(20)}
            scopes = [scope(f"scope {i}", i, **dict(list(attrs.items())[: i % 20])) for i in range(64)]
            for each in scopes:
                each.__enter__()
        """
        return killed(root, body)

    def peek_at(self, folder: Path, contents: Iterable[bytearray]) -> None:
        folder.mkdir()
        for number, content in enumerate(contents):
            (folder / f"{number:04}").write_bytes(content)
        count = number + 1
        command = [sys.executable, "-X", "faulthandler", "-c", PEEK_ALL, str(folder)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, f"journal {result.stdout.split()[-1:]}\n{result.stderr}"
        assert len(result.stdout.split()) == count
        shutil.rmtree(folder)  # some are nearly a gigabyte

    def test_cut_off_at_many_places(self, journal, tmp_path):
        content = bytearray(journal.read_bytes())
        chosen = random.Random(1)
        places = [at + offset for at in range(0, len(content), BLOCK_BYTES) for offset in (0, 1, 200)]
        places += [chosen.randrange(len(content)) for _ in range(20)]
        self.peek_at(tmp_path / "cut", (content[:place] for place in places))

    @pytest.mark.parametrize("seed", range(3))
    def test_with_bytes_changed_in_what_was_written(self, journal, tmp_path, seed):
        chosen = random.Random(seed)
        content = journal.read_bytes()
        written = [at for at, byte in enumerate(content) if byte]

        def damaged() -> bytearray:
            changed = bytearray(content)
            for _ in range(chosen.choice([1, 3, 30])):
                changed[chosen.choice(written)] = chosen.choice([0, 1, 0x22, 0x7F, 0x80, 0xFF])
            return changed

        self.peek_at(tmp_path / "changed", (damaged() for _ in range(60)))

    def test_with_the_starts_of_blocks_changed(self, journal, tmp_path):
        chosen = random.Random(5)
        content = journal.read_bytes()
        starts = [at for block_type in (1, RING, FRAMES) for at in blocks_of(content, block_type)]

        def damaged() -> bytearray:
            changed = bytearray(content)
            changed[chosen.choice(starts) + chosen.randrange(320)] = chosen.choice([0, 1, 0x7F, 0x80, 0xFF])
            return changed

        self.peek_at(tmp_path / "starts", (damaged() for _ in range(150)))

    def test_with_a_clock_that_was_never_read(self, journal, root, tmp_path):
        """No reading counts, and each that is there lies in the future."""
        content = bytearray(journal.read_bytes())
        (clock,) = (json.loads(path.read_bytes())["clock"] for path in copy_recovered(journal, root, content))
        at = content.index(struct.pack("=QQ", clock["wall_ns"], clock["monotonic_ns"])) + 16
        content[at : at + 8 + 64 * 24] = bytes(8) + b"\xff" * 64 * 24
        self.peek_at(tmp_path / "clock", [content])

    def test_with_holes_that_claim_terabytes(self, journal, tmp_path):
        content = bytearray(journal.read_bytes())
        frames = blocks_of(content, FRAMES)[-1]
        content[frames + 8 : frames + 24] = struct.pack("=QII", 2**40, 112, 2**32 - 1)
        path = tmp_path / "holes"
        path.write_bytes(content)
        os.truncate(path, frames + 2**40)
        with pytest.raises(ValueError, match="its open scopes take"):
            peek(str(path))

    def test_that_change_their_size_meanwhile(self, journal):
        command = [sys.executable, "-X", "faulthandler", "-c", RESIZE, str(journal)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert (result.returncode, result.stdout, result.stderr) == (0, "2\n", "")


def copy_recovered(journal: Path, root: Path, content: bytearray) -> list[Path]:
    """The batches that a recovery makes of a copy."""
    copy = journal.with_name("copy.journal")
    copy.write_bytes(content)
    recover(str(copy), str(root / "spool"))
    return list((root / "spool").glob("*.json"))
