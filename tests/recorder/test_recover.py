"""What a killed process left in its journal: sealed once and whole, by whoever comes next, whatever became of it."""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from cirron._recorder import mark, recover
from cirron.spool import read
from support.memory_events import event
from support.recorders import run_program, start_program, tree
from support.spool_pictures import batches_of, draw
from support.system_calls import DIE_AT

DIE = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n"

EVERYTHING = """
    recorder = start(batch_fields=b'"sdk_version":"1.0.0","host":"n1","rank":3', rank=3)
    recorder.set_overhead(50, 5)
    for epoch in epochs(range(2)):
        for batch in batches(range(3)):
            with scope("forward", phase="train"):
                mark("loss", 0.5, "summary", split="train")
    try:
        with scope("failing", 1):
            raise ValueError
    except ValueError:
        pass
    outer = scope("outer", 7, note="open")
    outer.__enter__()
    inner = scope("inner")
    inner.__enter__()
    mark("text", "a mark", number=1)
"""

PICTURE = tree("""
    cirron.session (interrupted)
      epoch[0]
        batch[0]
          forward phase='train' | loss=0.5 summary split='train'
        batch[1]
          forward phase='train' | loss=0.5 summary split='train'
        batch[2]
          forward phase='train' | loss=0.5 summary split='train'
      epoch[1]
        batch[0]
          forward phase='train' | loss=0.5 summary split='train'
        batch[1]
          forward phase='train' | loss=0.5 summary split='train'
        batch[2]
          forward phase='train' | loss=0.5 summary split='train'
      failing[1] error='ValueError'
      outer[7] note='open' (interrupted)
        inner (interrupted) | text='a mark' number=1
""")


def killed(root: Path, body: str) -> Path:
    """The journal of a process that ran the script and was killed."""
    result = run_program(root, body + "\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert (result.returncode, result.stderr) == (-signal.SIGKILL, "")
    (journal,) = (root / "journal").glob("*.journal")
    return journal


def script(text: str) -> str:
    return tree(text)


def recovered(root: Path, journal: Path):
    return recover(str(journal), str(root / "spool"))


class TestAKilledProcess:
    def test_leaves_everything_that_had_closed_and_what_was_open(self, root):
        journal = killed(root, script(EVERYTHING))
        recovered(root, journal)
        assert draw(root / "spool") == PICTURE

    def test_leaves_its_batch_fields_and_a_word_on_its_end(self, root):
        recovered(root, killed(root, script(EVERYTHING)))
        (batch,) = batches_of(root / "spool")
        assert (batch.recovered, batch.host, batch.rank) == (True, "n1", 3)
        assert batch.session_span.attrs == {"cirron.ended": "killed", "cirron.interrupted": True}

    def test_that_had_ended_its_session_is_believed(self, root):
        body = """
            recorder = start()
            open_scope = scope("open")
            open_scope.__enter__()
            import resource, signal
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
            try:
                recorder.close("exception: ValueError")
            except OSError:
                recorder.set_ending("too late")
        """
        recovered(root, killed(root, script(body)))
        (batch,) = batches_of(root / "spool")
        assert batch.session_span.attrs == {"cirron.ended": "exception: ValueError"}
        assert batch.session_span.end_ns is not None
        assert draw(root / "spool") == "cirron.session\n  open (interrupted)"

    @pytest.mark.parametrize(
        ("told", "ended"),
        [
            ("recorder.set_ending('signal: SIGTERM')", "signal: SIGTERM"),
            ("recorder.set_ending('signal: SIGTERM'); recorder.set_ending('short')", "short"),
            ("recorder.set_ending('signal: SIGTERM'); recorder.set_ending('')", "killed"),
            ("recorder.set_ending('é' * 1000)", "é" * 128),
        ],
    )
    def test_that_knew_what_would_end_it_is_believed(self, root, told, ended):
        recovered(root, killed(root, f"recorder = start()\n{told}"))
        (batch,) = batches_of(root / "spool")
        assert batch.session_span.attrs == {"cirron.ended": ended, "cirron.interrupted": True}
        assert batch.session_span.end_ns is None

    def test_leaves_what_it_had_removed_from_its_spool(self, root):
        recovered(root, killed(root, script("recorder = start()\nrecorder.count_spool_drops(1, 2, 3, 4)")))
        (batch,) = batches_of(root / "spool")
        counters = batch.counters
        assert counters.spool_batches_dropped == 1
        assert (counters.spool_spans_dropped, counters.spool_marks_dropped) == (2, 3)
        assert counters.spool_memory_dropped == 4

    def test_is_described_by_the_result(self, root):
        journal = killed(root, script(EVERYTHING))
        result = recovered(root, journal)
        assert (result.session_id, result.damage) == (journal.stem, None)
        assert (result.batches, result.spans, result.marks) == (1, 15, 7)

    def test_leaves_no_journal_after_the_recovery(self, root):
        journal = killed(root, script(EVERYTHING))
        recovered(root, journal)
        assert list((root / "journal").iterdir()) == []
        with pytest.raises(FileNotFoundError):
            recovered(root, journal)

    def test_has_nothing_twice_that_was_drained_before(self, root):
        body = """
            recorder = start()
            with scope("long"):
                for number in range(3000):
                    with scope("s", number):
                        mark("m", number)
                    if number % 1000 == 500:
                        recorder.drain()
                import os, signal
                os.kill(os.getpid(), signal.SIGKILL)
        """
        recovered(root, killed(root, script(body)))
        records = batches_of(root / "spool")
        assert [span.index for batch in records for span in batch.spans if span.name == "s"] == list(
            range(3000)
        )
        marks = [mark.value for batch in records for mark in batch.marks if mark.name == "m"]
        assert marks == list(range(3000))

    def test_keeps_the_newest_records_of_a_ring_that_overflowed(self, root):
        body = """
            recorder = start(ring_marks=1)
            for number in range(50_000):
                mark("m", number)
        """
        recovered(root, killed(root, script(body)))
        (batch,) = batches_of(root / "spool")
        values = [mark.value for mark in batch.marks]
        assert values == list(range(50_000 - len(values), 50_000))
        assert batch.counters.marks_dropped + len(values) == 50_000

    def test_keeps_the_records_of_every_thread(self, root):
        body = """
            import threading
            recorder = start()
            barrier = threading.Barrier(6)
            def work(number):
                with scope("thread", number):
                    mark("m", number)
                open_scope = scope("open", number)
                open_scope.__enter__()
                barrier.wait()
                barrier.wait()
            for number in range(5):
                threading.Thread(target=work, args=(number,), daemon=True).start()
            barrier.wait()
        """
        recovered(root, killed(root, script(body)))
        (batch,) = batches_of(root / "spool")
        spans = {(span.name, span.index, span.end_ns is None) for span in batch.spans}
        assert {("thread", n, False) for n in range(5)} | {("open", n, True) for n in range(5)} <= spans
        assert sorted(mark.value for mark in batch.marks if mark.name == "m") == [0, 1, 2, 3, 4]

    def test_keeps_names_beyond_the_table(self, root):
        body = """
            recorder = start()
            for number in range(70_000):
                mark(f"m {number}", number)
                if number % 10_000 == 0:
                    recorder.drain()
            open_scope = scope("late", late="key")
            open_scope.__enter__()
        """
        recovered(root, killed(root, script(body)))
        records = batches_of(root / "spool")
        assert {mark.name for batch in records for mark in batch.marks} == {f"m {n}" for n in range(70_000)}
        (span,) = (span for batch in records for span in batch.spans if span.name == "late")
        assert span.attrs == {"late": "key", "cirron.interrupted": True}

    def test_that_had_drained_everything_still_gets_its_session_span(self, root):
        recovered(root, killed(root, script("recorder = start()\nmark('m', 1)\nrecorder.drain()")))
        assert draw(root / "spool") == "cirron.session (interrupted) | m=1"

    def test_that_had_ended_its_session_leaves_nothing_to_recover(self, root):
        body = "recorder = start()\nmark('m', 1)\nrecorder.close('completed')\n" + DIE
        assert run_program(root, body).returncode == -signal.SIGKILL
        assert list((root / "journal").iterdir()) == []
        assert draw(root / "spool") == "cirron.session | m=1"

    def test_has_times_that_make_sense(self, root):
        recovered(root, killed(root, script(EVERYTHING)))
        (batch,) = batches_of(root / "spool")
        root_span = batch.session_span
        assert all(root_span.start_ns <= span.start_ns for span in batch.spans)
        assert all(span.start_ns - root_span.start_ns < 60_000_000_000 for span in batch.spans)


class TestAKillWhileABatchIsBeingWritten:
    """The system kills the process at a write beyond the limit on a file's size: in the middle of a batch."""

    LIMIT = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    """

    def test_leaves_every_record_for_the_recovery(self, root):
        body = script("""
            recorder = start()
            for number in range(5000):
                mark("m", number)
        """)
        result = run_program(root, body + "\n" + script(self.LIMIT) + "\nrecorder.drain()")
        assert result.returncode == -signal.SIGXFSZ
        assert [path.suffix for path in (root / "spool").iterdir()] == [".tmp"]
        (journal,) = (root / "journal").iterdir()
        recovered(root, journal)
        assert [path.suffix for path in (root / "spool").iterdir()] == [".json"]
        (batch,) = batches_of(root / "spool")
        assert [mark.value for mark in batch.marks] == list(range(5000))

    def test_of_the_last_batch_leaves_every_record_too(self, root):
        body = script("""
            recorder = start()
            open_scope = scope("open")
            open_scope.__enter__()
            for number in range(5000):
                mark("m", number)
        """)
        result = run_program(root, body + "\n" + script(self.LIMIT) + "\nrecorder.close('completed')")
        assert result.returncode == -signal.SIGXFSZ
        (journal,) = (root / "journal").iterdir()
        recovered(root, journal)
        (batch,) = batches_of(root / "spool")
        assert [mark.value for mark in batch.marks] == list(range(5000))
        assert [span.name for span in batch.spans] == ["open", "cirron.session"]

    def test_may_happen_to_the_recovery_as_well(self, root):
        journal = killed(root, script("recorder = start()\nfor number in range(5000): mark('m', number)"))
        recovery = script(self.LIMIT) + f"\nrecover({str(journal)!r}, ROOT + '/spool')"
        for _ in range(2):
            assert run_program(root, recovery).returncode == -signal.SIGXFSZ
        recovered(root, journal)
        assert [path.suffix for path in (root / "spool").iterdir()] == [".json"]
        (batch,) = batches_of(root / "spool")
        assert [mark.value for mark in batch.marks] == list(range(5000))

    def test_a_recovery_that_cannot_write_leaves_the_journal(self, root):
        journal = killed(root, script(EVERYTHING))
        a_file = root / "a file"
        a_file.touch()
        with pytest.raises(NotADirectoryError):
            recover(str(journal), str(a_file))
        recovered(root, journal)
        assert draw(root / "spool") == PICTURE


BEFORE_THE_RENAME = 'die_at("rename")'
AFTER_THE_RENAME = 'die_at("openat", 2, os.O_RDONLY | os.O_CLOEXEC)'  # the folder, which is synced next


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
@pytest.mark.parametrize("moment", [BEFORE_THE_RENAME, AFTER_THE_RENAME], ids=["before", "after"])
class TestAKillAroundTheRename:
    """The system kills the process at a chosen call: between a batch that is whole and a ring that knows of it."""

    def die(self, root: Path, body: str, moment: str) -> None:
        result = run_program(root, DIE_AT + "\n" + script(body).replace("MOMENT", moment))
        assert result.returncode == -signal.SIGSYS, result.stderr

    def test_of_a_batch_loses_and_doubles_nothing(self, root, moment):
        body = """
            recorder = start(fsync=True)
            open_scope = scope("open")
            open_scope.__enter__()
            for number in range(1000):
                with scope("s", number):
                    mark("m", number)
                if number == 300:
                    recorder.drain()
            MOMENT
            recorder.drain()
        """
        self.die(root, body, moment)
        (journal,) = (root / "journal").iterdir()
        recovered(root, journal)
        records = batches_of(root / "spool")
        marks = [mark.value for batch in records for mark in batch.marks if mark.name == "m"]
        assert sorted(marks) == list(range(1000))
        assert [span.index for batch in records for span in batch.spans if span.name == "s"] == list(
            range(1000)
        )
        assert not list((root / "spool").glob("*.tmp"))

    def test_of_the_last_batch_loses_and_doubles_nothing(self, root, moment):
        body = """
            recorder = start(fsync=True)
            with scope("s"):
                mark("m", 1)
            open_scope = scope("open")
            open_scope.__enter__()
            MOMENT
            recorder.close("completed")
        """
        self.die(root, body, moment)
        (journal,) = (root / "journal").iterdir()
        recovered(root, journal)
        assert draw(root / "spool") == "cirron.session\n  s | m=1\n  open (interrupted)"
        assert list((root / "journal").iterdir()) == []

    def test_of_a_recovery_loses_and_doubles_nothing(self, root, moment):
        journal = killed(root, script(EVERYTHING))
        body = f"""
            MOMENT
            recover({str(journal)!r}, ROOT + "/spool", fsync=True)
        """
        self.die(root, body, moment)
        recovered(root, journal)
        assert draw(root / "spool") == PICTURE
        assert list((root / "journal").iterdir()) == []


RING_BLOCK = b"\2\0\0\0"  # how a ring begins in a journal, at a multiple of 64 KiB; see layout.hpp
RING_HEAD_AT = 64
RING_CELLS_AT = 256
MEMORY_RECORD = 4  # the first byte of a telemetry event's record

TELEMETRY_EVENT = msgspec.json.encode(event(context="phase enter: train"))


def rings_of(journal: bytes) -> list[int]:
    return [at for at in range(65_536, len(journal), 65_536) if journal[at : at + 4] == RING_BLOCK]


def test_a_kill_in_the_instant_of_closing_leaves_the_scope_open(root):
    """After the frame was marked as closed, before its record was committed: as if the ring's head were not moved."""
    body = """
        recorder = start()
        with scope("closing", 1, a=1):
            pass
    """
    journal = killed(root, script(body))
    content = bytearray(journal.read_bytes())
    (ring,) = rings_of(content)
    assert any(content[ring + RING_HEAD_AT :][:8])
    content[ring + RING_HEAD_AT : ring + RING_HEAD_AT + 8] = bytes(8)
    journal.write_bytes(content)
    recovered(root, journal)
    assert draw(root / "spool") == "cirron.session (interrupted)\n  closing[1] a=1 (interrupted)"


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


class TestALiveJournal:
    def test_is_left_alone_in_its_own_process(self, session):
        mark("m", 1)
        assert recover(session.recorder.journal_path, str(session.spool)) is None
        assert session.picture() == "cirron.session | m=1"

    def test_is_closed_again_by_whoever_looks_at_it(self, session):
        path = session.recorder.journal_path
        before = open_files()
        assert recover(path, str(session.spool)) is None
        assert open_files() == before

    def test_is_left_alone_by_another_process(self, session):
        mark("m", 1)
        command = "import sys; from cirron._recorder import recover; print(recover(sys.argv[1], sys.argv[2]))"
        paths = [session.recorder.journal_path, str(session.spool)]
        asked = subprocess.run([sys.executable, "-c", command, *paths], capture_output=True, text=True)
        assert (asked.stdout, asked.stderr) == ("None\n", "")
        assert session.picture() == "cirron.session | m=1"

    def test_is_left_alone_while_its_process_sleeps(self, root):
        process = start_program(root, "recorder = start()\nmark('m', 1)\nprint(flush=True)\ninput()")
        process.stdout.readline()
        (journal,) = (root / "journal").iterdir()
        assert recovered(root, journal) is None
        process.kill()
        process.communicate()
        assert recovered(root, journal).marks == 1
        assert draw(root / "spool") == "cirron.session (interrupted) | m=1"


class TestARace:
    def test_between_processes_seals_everything_once(self, root):
        journal = killed(root, script("recorder = start()\nfor number in range(20_000): mark('m', number)"))
        racer = script(f"""
            print(flush=True)
            input()
            try:
                result = recover({str(journal)!r}, ROOT + "/spool")
                print("nothing" if result is None else result.marks)
            except FileNotFoundError:
                print("nothing")
        """)
        racers = [start_program(root, racer) for _ in range(4)]
        for process in racers:
            process.stdout.readline()
        for process in racers:
            process.stdin.write("\n")
            process.stdin.flush()
        ends = [process.communicate() for process in racers]
        assert sorted(out.strip() for out, _ in ends) == ["20000", "nothing", "nothing", "nothing"]
        assert [err for _, err in ends] == [""] * 4
        (batch,) = batches_of(root / "spool")
        assert [mark.value for mark in batch.marks] == list(range(20_000))


class TestForeignFiles:
    @pytest.fixture
    def path(self, root):
        (root / "journal").mkdir(parents=True)
        (root / "spool").mkdir()
        return root / "journal" / "foreign.journal"

    @pytest.mark.parametrize(
        "content", [b"", b"x", b"not a journal" * 10_000, b"\0" * 65_536, b"CIRRJRN1" + b"\0" * 100_000]
    )
    def test_are_refused_and_stay(self, root, path, content):
        path.write_bytes(content)
        with pytest.raises(ValueError):
            recovered(root, path)
        assert path.read_bytes() == content
        assert list((root / "spool").iterdir()) == []

    def test_of_a_later_version_are_refused_by_name(self, root):
        journal = killed(root, script(EVERYTHING))
        content = bytearray(journal.read_bytes())
        content[8] += 1
        journal.write_bytes(content)
        with pytest.raises(ValueError, match="version"):
            recovered(root, journal)
        assert journal.exists()

    def test_directories_and_missing_files_are_errors_of_the_system(self, root, path):
        with pytest.raises(OSError):
            recovered(root, root / "journal")
        with pytest.raises(FileNotFoundError):
            recovered(root, path)


RECOVER_ALL = """
import errno, os, sys, threading
from pathlib import Path
from cirron._recorder import recover

FOLDERS = sorted(Path(sys.argv[1]).iterdir())

def watch():
    # A damaged length or position could make a recovery go on until the disk is full.
    while not done.wait(0.01):
        bytes_written = sum(path.stat().st_size for folder in FOLDERS for path in folder.glob("spool/*.json"))
        if bytes_written > 500_000_000:
            print("the recovery writes without end", file=sys.stderr, flush=True)
            os._exit(1)

done = threading.Event()
threading.Thread(target=watch, daemon=True).start()
for folder in FOLDERS:
    print(folder.name, flush=True)
    (folder / "spool").mkdir()
    try:
        recover(str(folder / "damaged.journal"), str(folder / "spool"))
    except (ValueError, OSError) as error:
        (folder / "refused").write_text(str(error))
done.set()
"""


def recover_damaged(folder: Path, contents: list[bytes]) -> None:
    """Recover each of the journals, all in one process of its own, and look at what came of it."""
    for number, content in enumerate(contents):
        (folder / f"{number:04}").mkdir(parents=True)
        (folder / f"{number:04}" / "damaged.journal").write_bytes(content)
    command = [sys.executable, "-X", "faulthandler", "-c", RECOVER_ALL, str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    problems = [problem for each in sorted(folder.iterdir()) for problem in unreadable(each)]
    last = " ".join(result.stdout.split()[-1:])
    shutil.rmtree(folder)
    assert result.returncode == 0, f"journal {last}: {result.returncode}\n{result.stderr}"
    assert not problems, "\n".join(problems[:20])


def unreadable(folder: Path) -> list[str]:
    """What is wrong with one recovered spool; nothing when the journal was refused."""
    if (folder / "refused").exists() or not (folder / "spool").exists():
        return []
    reader = read(folder / "spool")
    batches = list(reader.batches())
    if not batches and not reader.problems and (folder / "damaged.journal").exists():
        return []  # taken for the journal of a process on another machine
    return [f"{folder.name}: {problem}" for problem in reader.problems or ([] if batches else ["no batch"])]


class TestDamagedTelemetryEvents:
    """An event is JSON that goes into a batch as it is, so one that is damaged would spoil the batch."""

    def test_are_left_out_and_counted(self, root):
        events = [msgspec.json.encode(event(context=name)) for name in ("first", "second", "third")]
        journal = killed(root, f"recorder = start()\nfor event in {events}: recorder.add_memory(event)")
        journal.write_bytes(journal.read_bytes().replace(b'"second"', b'"sec"ond'))
        assert "telemetry event" in recovered(root, journal).damage
        (batch,) = batches_of(root / "spool")
        assert [each.context for each in batch.memory] == ["first", "third"]
        assert batch.counters.memory_dropped == 1

    def test_are_not_seen_in_other_records(self, root):
        journal = killed(root, "recorder = start()\nmark('a', 1)\nmark('b', 2)")
        content = bytearray(journal.read_bytes())
        (ring,) = rings_of(content)
        content[ring + RING_CELLS_AT] = MEMORY_RECORD
        journal.write_bytes(content)
        recovered(root, journal)
        (batch,) = batches_of(root / "spool")
        assert ([each.name for each in batch.marks], batch.memory) == (["b"], [])


class TestDamagedJournals:
    """A recovery ends in a readable spool or in an exception that says why, and never in a crash."""

    @pytest.fixture
    def journal(self, root) -> bytes:
        body = (
            EVERYTHING
            + f"""
    for number in range(3000):
        with scope("s", number, text="x" * (number % 100)):
            mark("m", number)
        recorder.add_memory({TELEMETRY_EVENT})
        """
        )
        return killed(root, script(body)).read_bytes()

    def test_cut_off_at_many_places(self, journal, tmp_path):
        chosen = random.Random(1)
        places = [0, 1, 7, 8, 65_535, 65_536, 65_537, len(journal) - 1]
        places += [
            block + offset for block in range(0, len(journal), 65_536 * 8) for offset in (-1, 0, 1) if block
        ]
        places += [chosen.randrange(len(journal)) for _ in range(30)]
        recover_damaged(tmp_path / "cut", [journal[:place] for place in places])

    @pytest.mark.parametrize("seed", range(4))
    def test_with_bits_flipped_in_what_was_written(self, journal, tmp_path, seed):
        chosen = random.Random(seed)
        written = [place for place, byte in enumerate(journal) if byte]
        contents = []
        for _ in range(60):
            damaged = bytearray(journal)
            for _ in range(chosen.choice([1, 3, 30])):
                damaged[chosen.choice(written)] ^= 1 << chosen.randrange(8)
            contents.append(bytes(damaged))
        recover_damaged(tmp_path / "flipped", contents)

    @pytest.mark.parametrize("seed", range(2))
    def test_with_every_byte_of_the_header_damaged_somewhere(self, journal, tmp_path, seed):
        chosen = random.Random(seed)
        header_end = len(journal[:65_536].rstrip(b"\0")) + 16
        contents = []
        for place in chosen.sample(range(8, header_end), 100):
            damaged = bytearray(journal)
            damaged[place] = chosen.choice([0, 1, 0x7F, 0x80, 0xFF, 0x22])
            contents.append(bytes(damaged))
        recover_damaged(tmp_path / "header", contents)

    @pytest.mark.parametrize("block_type", [1, 2, 3], ids=["names", "ring", "frames"])
    def test_with_the_start_of_a_block_damaged(self, journal, tmp_path, block_type):
        chosen = random.Random(block_type)
        blocks = [
            at
            for at in range(65_536, len(journal), 65_536)
            if journal[at : at + 4] == bytes([block_type, 0, 0, 0])
        ]
        contents = []
        for _ in range(100):
            damaged = bytearray(journal)
            damaged[chosen.choice(blocks) + chosen.randrange(2048)] = chosen.choice([0, 1, 0x7F, 0x80, 0xFF])
            contents.append(bytes(damaged))
        recover_damaged(tmp_path / "blocks", contents)

    def test_with_a_full_ring_whose_end_is_damaged(self, root, tmp_path):
        body = "recorder = start(ring_marks=1)\nfor number in range(50_000): mark('m', number)"
        journal = killed(root, body).read_bytes()
        (ring,) = rings_of(journal)
        contents = []
        for offset in range(64, 256):
            damaged = bytearray(journal)
            damaged[ring + offset] ^= 0x40
            contents.append(bytes(damaged))
        recover_damaged(tmp_path / "lapped", contents)

    def test_with_whole_pages_of_noise(self, journal, tmp_path):
        chosen = random.Random(7)
        contents = []
        for _ in range(30):
            damaged = bytearray(journal)
            at = chosen.randrange(0, len(journal), 4096)
            damaged[at : at + 4096] = chosen.randbytes(4096)
            contents.append(bytes(damaged[: len(journal)]))
        recover_damaged(tmp_path / "noise", contents)
