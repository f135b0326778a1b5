"""What is open in a session that is still recording, told beside its batches."""

import shutil
from functools import partial
from pathlib import Path

import pytest

import cirron
from cirron.errors import CirronError
from cirron.spool import glance, read, runs, seal_dead_journals, sessions
from cirron.spool.live import open_spans
from cirron.tree import Shape, outline_run
from support.programs import run_program
from support.recording import Recording

NOBODY = "0" * 31 + "1"

RECORD_AND_DIE = """
import cirron, os, signal
cirron.profile()
with cirron.scope("step", 3):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def tell(spool: Path, session_id: str) -> list[tuple[str, int | None]]:
    return [(span.name, span.end_ns) for span in open_spans(spool, session_id)]


@pytest.fixture
def spool(profiler) -> Path:
    """The spool of a session that is recording in this process."""
    return Path(".cirron/spool").absolute()


@pytest.fixture
def session_id(spool) -> str:
    (journal,) = (spool.parent / "journal").glob("*.journal")
    return journal.stem


class TestOfALiveSession:
    def test_the_open_scopes_are_there_with_the_root(self, spool, session_id):
        with cirron.scope("outer", 2, phase="train"), cirron.scope("inner"):
            spans = {span.name: span for span in open_spans(spool, session_id)}
        assert set(spans) == {"cirron.session", "outer", "inner"}
        assert (spans["outer"].index, spans["outer"].attrs) == (2, {"phase": "train"})
        assert spans["inner"].parent_id == spans["outer"].id
        assert spans["outer"].parent_id == spans["cirron.session"].id == session_id
        assert all(span.end_ns is None for span in spans.values())

    def test_a_scope_that_has_closed_is_in_the_batches_instead(self, spool, session_id):
        with cirron.scope("step"):
            (before, _) = open_spans(spool, session_id)
        cirron.flush()
        (closed,) = (span for batch in read(spool).batches() for span in batch.spans)
        assert tell(spool, session_id) == [("cirron.session", None)]
        assert (closed.id, closed.start_ns) == (before.id, before.start_ns)

    def test_nothing_is_open_once_it_has_ended(self, spool, session_id):
        cirron.shutdown()
        assert open_spans(spool, session_id) == []


class TestOfAKilledSession:
    @pytest.fixture
    def journal(self) -> Path:
        assert run_program(RECORD_AND_DIE).code == -9
        (journal,) = Path(".cirron/journal").absolute().glob("*.journal")
        return journal

    def test_its_last_scopes_are_open_until_they_are_sealed(self, journal):
        spool = journal.parent.parent / "spool"
        assert tell(spool, journal.stem) == [("step", None), ("cirron.session", None)]
        seal_dead_journals(spool)
        assert open_spans(spool, journal.stem) == []

    def test_that_cannot_be_sealed_it_is_told_as_killed_and_its_scopes_as_interrupted(self, journal):
        """As in a folder that cannot be written, which root's tests have to do without."""
        spool = journal.parent.parent / "spool"
        first = Recording(journal.stem)
        first.span("earlier", 0, 1)
        first.write(spool)
        assert [session.ended for session in sessions(spool)] == ["killed"]
        assert [span.attrs for span in open_spans(spool, journal.stem)] == [{"cirron.interrupted": True}] * 2
        run = runs(glance(read(spool)))[-1]
        tops = [
            outline_run(read(spool), run, Shape(), partial(open_spans, spool), now).top for now in (0, 2**62)
        ]
        assert [top.span_count() for top in tops] == [3, 3]
        assert len({scope.total_ns for top in tops for scope in top.scopes()}) == 1

    def test_a_folder_with_the_journal_may_have_moved(self, journal):
        shutil.move(".cirron", "elsewhere")
        assert tell(Path("elsewhere/spool"), journal.stem) == [("step", None), ("cirron.session", None)]

    def test_a_journal_of_another_release_is_named_with_a_way_out(self, journal):
        content = bytearray(journal.read_bytes())
        content[8] += 1
        journal.write_bytes(content)
        expected = (
            rf"{journal.stem}\.journal: it has journal version \d+, .*, this with the release that wrote it"
        )
        with pytest.raises(CirronError, match=expected):
            open_spans(journal.parent.parent / "spool", journal.stem)


@pytest.mark.parametrize(
    "session_id",
    [NOBODY, "pid-17", "", "../" * 9 + "etc/x", "x\0", "\udc80", "A" * 32, "0" * 32 + "\n", "٣" * 32],
)
def test_a_session_without_a_journal_has_nothing_open(spool, session_id):
    assert open_spans(spool, session_id) == []


def test_an_id_out_of_a_file_leads_to_no_other_folder(spool, session_id):
    shutil.copy(spool.parent / "journal" / f"{session_id}.journal", spool / "other.journal")
    assert open_spans(spool, "../spool/other") == []
    (spool / "other.journal").unlink()


def test_a_spool_without_a_journal_folder_has_nothing_open(tmp_path):
    assert open_spans(tmp_path / "spool", NOBODY) == []


def test_a_journal_that_the_system_refuses_is_named(tmp_path):
    (tmp_path / "journal" / f"{NOBODY}.journal").mkdir(parents=True)
    with pytest.raises(CirronError, match=rf"{NOBODY}\.journal: Is a directory; "):
        open_spans(tmp_path / "spool", NOBODY)
