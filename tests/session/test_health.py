"""What `health()` tells, and when."""

import threading
from pathlib import Path

import pytest

import cirron as ci

DOCUMENTED = {
    "enabled": bool,
    "frameworks_installed": list,
    "frameworks_failed": dict,
    "transport": str,
    "scope_depth": int,
    "mark_drop_count": int,
    "spool_drop_count": int,
    "spool_bytes": int,
    "flush_latency_ns": int,
}


def types_of(health):
    return {key: type(health[key]) for key in DOCUMENTED}


def test_it_has_the_documented_keys_before_during_and_after_a_session():
    before = ci.health()
    ci.profile()
    during = ci.health()
    ci.shutdown()
    after = ci.health()
    assert types_of(before) == types_of(during) == types_of(after) == DOCUMENTED
    assert before.keys() == during.keys() == after.keys()
    assert [each["enabled"] for each in (before, during, after)] == [False, True, False]
    assert [each["transport"] for each in (before, during, after)] == ["file_only"] * 3


def test_the_depth_is_that_of_the_calling_thread(profiler):
    depths = []
    with ci.scope("outer"), ci.scope("inner"):
        depths.append(ci.health()["scope_depth"])
        thread = threading.Thread(target=lambda: depths.append(ci.health()["scope_depth"]))
        thread.start()
        thread.join()
    assert [*depths, ci.health()["scope_depth"]] == [2, 0, 0]


def test_the_size_is_that_of_the_files_in_the_spool(profiler):
    assert ci.health()["spool_bytes"] == 0
    with ci.scope("step"):
        pass
    ci.flush()
    files = list(Path(".cirron/spool").glob("*.json"))
    assert ci.health()["spool_bytes"] == sum(path.stat().st_size for path in files) > 0


def test_the_latency_is_that_of_the_last_write(profiler):
    assert ci.health()["flush_latency_ns"] == 0
    ci.flush()
    assert ci.health()["flush_latency_ns"] > 0


def test_marks_that_found_no_room_are_counted():
    ci.profile({"ring_marks": 64, "flush_interval": 3600})
    for i in range(100_000):
        ci.mark("loss", i)
    ci.flush()
    health = ci.health()
    kept = len(ci.trace("dict")["roots"][0]["marks"])
    ci.shutdown()
    assert health["mark_drop_count"] > 0
    assert kept + health["mark_drop_count"] == 100_000
    assert sum(each["marks_dropped"] for each in health["drops_by_thread"]) == health["mark_drop_count"]


def test_scopes_that_are_too_deep_are_counted(profiler, caplog):
    def nest(levels):
        with ci.scope("level"):
            if levels > 1:
                nest(levels - 1)

    nest(70)
    ci.flush()
    assert ci.health()["scope_drop_count"] == 6
    assert len(caplog.records) == 1


def test_marks_of_a_value_that_is_none_are_counted_and_warned_of_once(profiler, caplog):
    ci.mark("wrong", object())
    ci.mark("wrong", [1])
    ci.flush()
    assert ci.health()["mark_reject_count"] == 2
    assert len(caplog.records) == 1


def test_it_tells_where_the_records_go(profiler):
    health = ci.health()
    assert health["journal"] == "file"
    assert health["spool_dir"] == str(Path(".cirron/spool").absolute())
    assert len(health["session_id"]) == 32


def test_after_the_session_its_last_counts_can_still_be_read():
    ci.profile()
    ci.mark("wrong", object())
    ci.shutdown()
    assert ci.health()["mark_reject_count"] == 1


def test_it_answers_even_when_the_spool_is_gone(profiler):
    import shutil

    shutil.rmtree(".cirron")
    assert ci.health()["spool_bytes"] == 0
    Path(".cirron/spool").mkdir(parents=True)


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_spool_that_cannot_be_is_an_empty_one(path):
    Path("file").write_text("")
    ci.profile(path=path)
    assert ci.health()["spool_bytes"] == 0
    ci.shutdown()
