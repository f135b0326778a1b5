"""The JSON that the page is a function of says everything the page shows."""

import math
import subprocess
import sys

import msgspec
import pytest

import cirron
from cirron.export import profile_json
from cirron.export.profile_json import profile
from cirron.export.source_scopes import scopes_by_session
from cirron.spool.records import FloatMark
from cirron.tree.run_outline import together
from export.exporting import SPOOL, hostile_spool, killed, source, third_party, two_ranks_and_a_worker
from support.recording import EPOCH_NS, MS, Recording, training


def profiled(now_ns=0, **options):
    """The JSON of a run, as a parser gives it back."""
    run = source(**options)
    top = together(run.run, scopes_by_session(run, now_ns, marks=True))
    return msgspec.json.decode(msgspec.json.encode(profile(run.run, run.sessions, top, now_ns)))


def drawn(fields):
    """The scopes as an indented tree: name, index or count, milliseconds."""
    depths = []
    lines = []
    for scope in fields["scopes"]:
        depths.append(0 if scope["parent"] is None else depths[scope["parent"]] + 1)
        name = fields["paths"][scope["path"]]["name"]
        which = (
            f" x{scope['count']}"
            if scope["count"] > 1
            else ""
            if scope["index"] is None
            else f"[{scope['index']}]"
        )
        lines.append(f"{'  ' * depths[-1]}{name}{which} {scope['total_ns'] / MS:g}")
    return lines


def by_path(fields):
    """The paths by their names, joined by slashes."""
    names = []
    for path in fields["paths"]:
        above = "" if path["parent"] is None else names[path["parent"]] + "/"
        names.append(above + path["name"])
    return dict(zip(names, fields["paths"], strict=True))


def test_a_run_says_when_it_began_how_long_it_took_and_how_it_ended():
    training(2, 3).write(SPOOL)
    run = profiled()["run"]
    sessions = run.pop("sessions")
    assert run == {
        "id": "5e" * 16,
        "run_id": None,
        "started_ns": EPOCH_NS,
        "duration_ns": 112 * MS,
        "overhead_ns": 3600,
        "ranks": 1,
        "workers": 0,
        "spans": 2 * (3 * 4 + 2) + 1,
    }
    assert [(each["ended"], each["offset_ns"], each["duration_ns"]) for each in sessions] == [
        ("completed", 0, 112 * MS)
    ]


def test_few_scopes_of_one_name_stand_one_by_one_and_many_as_one():
    training(2, 8).write(SPOOL)
    assert drawn(profiled()) == [
        "cirron.session 242",
        "  epoch[0] 121",
        "    step x8 101",
        "      data_load x8 21",
        "      forward x8 32",
        "      backward x8 48",
        "    evaluate 20",
        "  epoch[1] 121",
        "    step x8 101",
        "      data_load x8 21",
        "      forward x8 32",
        "      backward x8 48",
        "    evaluate 20",
    ]


def test_a_path_counts_all_its_scopes_wherever_they_stand():
    training(2, 8).write(SPOOL)
    paths = by_path(profiled())
    assert list(paths) == [
        "cirron.session",
        "cirron.session/epoch",
        "cirron.session/epoch/step",
        "cirron.session/epoch/step/data_load",
        "cirron.session/epoch/step/forward",
        "cirron.session/epoch/step/backward",
        "cirron.session/epoch/evaluate",
    ]
    load = paths["cirron.session/epoch/step/data_load"]
    assert (load["count"], load["total_ns"], load["self_ns"]) == (16, 42 * MS, 42 * MS)
    assert [load[f"{name}_ns"] / MS for name in ("min", "p50", "p95", "p99", "max")] == [1, 2, 5, 5, 5]
    assert load["mean_ns"] == 42 * MS / 16
    assert load["share"] == pytest.approx(42 / 242)
    assert paths["cirron.session/epoch/step"]["self_ns"] == 0


def test_the_marks_of_a_path_make_one_course():
    training(3, 4).write(SPOOL)
    paths = by_path(profiled())
    accuracy = paths["cirron.session/epoch"]["series"]
    ends_ns = [70 * MS, 140 * MS, 210 * MS]
    assert accuracy == [
        {
            "name": "accuracy",
            "count": 3,
            "last": 0.9,
            "points": [[ends_ns[0], 0.8], [ends_ns[1], 0.8 + 1 / 20], [ends_ns[2], 0.8 + 2 / 20]],
        }
    ]
    [loss] = paths["cirron.session/epoch/step"]["series"]
    assert (loss["count"], len(loss["points"])) == (12, 12)
    assert paths["cirron.session"]["series"] == []  # the recorder's own bookkeeping is no mark of the user's


def test_long_courses_are_thinned_and_many_of_them_more():
    run = Recording()
    for number in range(3000):
        run.mark(run.session_id, f"m{number % 3}", float(number), at=number)
    run.session(0, 3000)
    run.write(SPOOL)
    lengths = {len(series["points"]) for series in profiled()["paths"][0]["series"]}
    assert lengths == {profile_json.MOST_POINTS}


def test_all_courses_together_are_bounded(monkeypatch):
    monkeypatch.setattr(profile_json, "ALL_POINTS", 100)
    training(3, 200).write(SPOOL)
    fields = profiled()
    assert sum(len(series["points"]) for path in fields["paths"] for series in path["series"]) <= 100


def test_what_is_no_number_does_not_break_the_json():
    run = Recording()
    for at, word in enumerate(("nan", "inf", "-inf")):
        run.mark(run.session_id, word, 1.0, at=at)
        run.marks.append(_nonfinite(run, word, at + 1))
    run.mark(run.session_id, "phase", "warm-up", at=9)
    run.mark(run.session_id, "huge", 2**60, at=9)
    run.session(0, 10)
    run.write(SPOOL)
    last = {series["name"]: series["last"] for series in profiled()["paths"][0]["series"]}
    assert last == {"nan": "nan", "inf": "inf", "-inf": "-inf", "phase": "warm-up", "huge": str(2**60)}


def _nonfinite(run, name, at):
    plain = dict(attrs={}, kind="point", ts_ns=EPOCH_NS + at * MS, span_id=run.session_id)
    return FloatMark(id=next(run.ids), name=name, value=None, value_nonfinite=name, **plain)


def test_every_name_and_attribute_comes_back_and_long_text_is_cut():
    names = hostile_spool()
    fields = profiled()
    assert sorted(path["name"] for path in fields["paths"]) == sorted(names)
    attrs = {fields["paths"][scope["path"]]["name"]: scope["attrs"] for scope in fields["scopes"]}
    for name in names[:8]:
        assert attrs[name][name] == name
        assert attrs[name]["beyond"] == str(2**70)
    assert len(attrs["huge"]["text"]) == profile_json.MOST_TEXT


def test_a_killed_run_shows_where_it_was_and_for_how_long_at_least():
    killed()
    fields = profiled()
    assert [each["ended"] for each in fields["run"]["sessions"]] == ["killed"]
    assert drawn(fields) == ["cirron.session 7", "  epoch[0] 3", "  epoch[1] 3", "    step 1"]
    assert [scope["interrupted_count"] for scope in fields["scopes"]] == [1, 0, 1, 0]
    session, first, second, _ = fields["scopes"]
    assert (session["mean_ns"], session["end_ns"], second["p95_ns"]) == (None, None, None)
    assert (first["end_ns"], first["attrs"], second["attrs"]) == (4 * MS, {}, {})


def test_exceptions_are_counted_by_name():
    run = Recording()
    for step in range(8):
        run.span("step", step, step + 1, attrs={"error": "KeyError"} if step % 4 == 0 else {})
    run.session(0, 8)
    run.write(SPOOL)
    assert by_path(profiled())["cirron.session/step"]["errors"] == {"KeyError": 2}


def test_ranks_are_one_picture_with_the_time_of_each_and_workers_another():
    two_ranks_and_a_worker()
    fields = profiled()
    assert (fields["run"]["ranks"], fields["run"]["workers"], fields["run"]["run_id"]) == (2, 1, "run-42")
    assert [(each["rank"], each["worker"], each["host"]) for each in fields["run"]["sessions"]] == [
        (0, None, "north"),
        (1, None, "south"),
        (0, "0", "north"),
    ]
    paths = by_path(fields)
    assert paths["cirron.session/step"]["rank_walls_ns"] == {"0": 3 * MS, "1": 3 * MS}
    assert paths["workers"]["share"] == 1
    assert paths["workers/step"]["rank_walls_ns"] == {}


def test_a_run_of_another_writer_is_shown_too():
    third_party()
    assert drawn(profiled())[0].startswith("cirron.session")


def test_of_too_many_scopes_the_longest_are_shown_and_the_others_counted(monkeypatch):
    monkeypatch.setattr(profile_json, "MOST_SCOPES", 4)
    run = Recording()
    start = 0
    for number in range(20):
        run.span(f"item {number}", start, start + number)
        start += number
    run.session(0, start)
    run.write(SPOOL)
    fields = profiled()
    assert drawn(fields) == ["cirron.session 190", "  item 17 17", "  item 18 18", "  item 19 19"]
    assert fields["left_out"] == {"scopes": 17, "spans": 17}
    assert fields["run"]["spans"] == 21


def test_scopes_that_ran_beside_each_other_leave_no_time_below_zero():
    run = Recording()
    for _ in range(3):
        run.span("task", 0, 10)
    run.session(0, 10)
    run.write(SPOOL)
    session = profiled()["scopes"][0]
    assert (session["total_ns"], session["self_ns"]) == (10 * MS, 0)


def test_a_damaged_file_may_nest_as_deep_as_it_likes():
    run = Recording()
    parent = run.session_id
    for depth in range(5000):
        parent = run.span(f"level {depth % 3}", 0, 10, parent=parent)
    run.session(0, 10)
    run.write(SPOOL)
    fields = profiled()
    assert len(fields["scopes"]) == len(fields["paths"]) == 5001


def test_parents_come_before_their_children():
    training(3, 10).write(SPOOL)
    fields = profiled()
    for entries in (fields["scopes"], fields["paths"]):
        assert all(entry["parent"] is None or entry["parent"] < at for at, entry in enumerate(entries))
        assert [entry["parent"] for entry in entries].count(None) == 1


def test_a_session_that_recorded_nothing_but_itself():
    run = Recording()
    run.session(0, 5)
    run.write(SPOOL)
    assert drawn(profiled()) == ["cirron.session 5"]


def test_a_session_without_a_span_has_no_scopes():
    run = Recording()
    run.snapshot(run.session_id, "weight", at=3)
    run.write(SPOOL)
    fields = profiled()
    assert (fields["scopes"], fields["paths"]) == ([], [])


def test_a_live_session_shows_what_is_open_and_lasts_until_now(profiler):
    with cirron.scope("epoch", 3):
        with cirron.scope("step"):
            pass
        cirron.flush()
        now_ns = source().sessions[0].last_ns + 10**12
        fields = profiled(now_ns)
    names = {fields["paths"][scope["path"]]["name"]: scope for scope in fields["scopes"]}
    assert fields["run"]["sessions"][0]["ended"] == "live"
    assert {name: scope["open_count"] for name, scope in names.items()} == {
        "cirron.session": 1,
        "epoch": 1,
        "step": 0,
    }
    assert math.isclose(names["cirron.session"]["total_ns"], 10**12, rel_tol=0.1)
    assert fields["run"]["duration_ns"] >= 10**12


def test_a_journal_that_cannot_be_read_is_warned_of_and_the_batches_count():
    script = "import cirron as ci; ci.profile()\nwith ci.scope('a'): pass\nci.flush(); import os; os._exit(0)"
    subprocess.run([sys.executable, "-c", script], check=True)
    [journal] = SPOOL.parent.glob("journal/*.journal")
    journal.write_bytes(b"no journal")
    run = source()
    tops = scopes_by_session(run, 1, marks=True)
    assert [scope.count for top in tops.values() for scope in top.scopes()] == [1]
    assert [warning.split(":")[0] for warning in run.warnings] == [
        f"left out what session {run.sessions[0].id[:8]} has open"
    ]
