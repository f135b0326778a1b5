"""The faults' own accounting notices what it is there for: programs that do wrong on purpose."""

import dataclasses

import pytest

from faults import launchers
from faults.catalogue import FAULTS
from faults.causing import cause
from faults.fault import Fault

pytestmark = pytest.mark.usefixtures("damaged_spools")

TRAIN = "ci.profile(); train(10); ci.flush()\n"


def wrong(tmp_path, program, **options):
    outcome = cause(Fault("a test", "by itself", TRAIN + program, **options), tmp_path)
    return "\n".join(outcome.wrong)


def test_a_program_that_does_nothing_wrong_has_nothing_wrong(tmp_path):
    assert wrong(tmp_path, "print('trained'); sys.exit(3)") == ""


def test_records_that_are_gone(tmp_path):
    said = wrong(tmp_path, "for file in ROOT.glob('spool/*.json'): file.unlink()")
    assert "10 spans are missing, and 0 are counted\n10 marks are missing, and 0 are counted" in said


def test_records_that_are_counted_are_still_a_fault_where_none_may_be_lost(tmp_path):
    program = "ci.profile({'ring_marks': 64}, flush_interval=3600); train(3000, effort=0)"
    lossy = Fault("a test", "a small ring", program)
    assert "records are lost" in "\n".join(cause(lossy, tmp_path / "lossless").wrong)
    assert cause(dataclasses.replace(lossy, lossless=False), tmp_path / "counted").wrong == []


def test_records_that_were_never_made(tmp_path):
    said = wrong(tmp_path, "with ci.scope('step', 11, lane=0): pass")
    assert "('span', 0, 11) was never begun" in said


def test_records_that_are_there_twice(tmp_path):
    said = wrong(tmp_path, "ci.mark('loss', 5, lane=0)")
    assert "('mark', 0, 5) was recorded once and is there 2 times" in said


def test_marks_of_another_step(tmp_path):
    program = "books[10] = CLOSED; books[11] = MARKED\nwith ci.scope('step', 10, lane=0): ci.mark('loss', 11, lane=0)"
    assert "a mark of lane and step (0, 11) belongs to (0, 10)" in wrong(tmp_path, program)


def test_a_span_that_was_closed_and_is_open_in_the_spool(tmp_path):
    program = "scope = ci.scope('step', 10, lane=0); scope.__enter__(); books[10] = CLOSED"
    assert "1 spans are missing, and 0 are counted" in wrong(tmp_path, program)


def test_a_spool_that_breaks_its_format(tmp_path):
    break_it = "file.write_text(file.read_text().replace('mark_ids', 'marks'))"
    said = wrong(tmp_path, f"for file in list(ROOT.glob('spool/*.json')): {break_it}")
    assert "missing required field `mark_ids`" in said


def test_another_exit_code(tmp_path):
    assert "exit code 4, without cirron 0" in wrong(tmp_path, "sys.exit(4 if ci.health() else 0)")


def test_another_output(tmp_path):
    said = wrong(tmp_path, "print('recording' if ci.health() else 'not recording')")
    assert "stdout is 'recording\\n', without cirron 'not recording\\n'" in said


def test_a_word_on_standard_error(tmp_path):
    assert "stderr is 'oh\\n'" in wrong(tmp_path, "if ci.health(): print('oh', file=sys.stderr)")


def test_a_warning_that_nobody_expected(tmp_path):
    assert "nobody expected: cirron|WARNING|hm" in wrong(
        tmp_path, "logging.getLogger('cirron').warning('hm')"
    )


def test_a_warning_that_is_said_twice(tmp_path):
    twice = "for _ in range(2): logging.getLogger('cirron').warning('hm')"
    assert "2 warnings say /hm/, not 1" in wrong(tmp_path, twice, warnings=("hm",))


def test_a_warning_that_is_missing(tmp_path):
    assert "0 warnings say /hm/, not 1" in wrong(tmp_path, "", warnings=("hm",))


def test_another_ending(tmp_path):
    assert "ended ['killed'], not ['completed']" in wrong(tmp_path, "os._exit(0)")


def test_a_fault_that_was_not_caused(tmp_path):
    assert "the fault was not there" in wrong(tmp_path, "print('well')", proof="no memory")


def test_a_test_that_could_not_do_its_part(tmp_path):
    def fail(stage, pid):
        raise OSError("no such thing")

    assert "at the moment 'now': OSError" in wrong(tmp_path, "moment('now')", at={"now": fail})


def test_an_api_key_that_is_left_behind(tmp_path):
    leave = "(ROOT / 'notes').write_text('faults-key-3f9d2c')"
    assert "the key is in notes" in wrong(tmp_path, "ROOT.mkdir(exist_ok=True)\n" + leave)


def test_a_program_that_hangs(tmp_path):
    assert "hung for 1 s" in wrong(tmp_path, "while ci.health(): time.sleep(0.01)", hung_s=1)


@pytest.mark.parametrize("name", ["disk full", "no inodes left", "spool becomes read-only"])
def test_without_the_right_to_mount_the_same_faults_are_caused(name, tmp_path, monkeypatch):
    monkeypatch.setattr(launchers, "can_mount", lambda: False)
    (fault,) = (fault for fault in FAULTS if fault.name == name)
    assert cause(fault, tmp_path).wrong == []
