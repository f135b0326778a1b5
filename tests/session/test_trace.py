"""`trace()`: the session read back while it runs."""

import json

import pytest

import cirron as ci
from support.pictures import picture


def train():
    for _ in ci.epochs(range(2)):
        for batch in ci.batches(range(2)):
            ci.mark("loss", batch)


def test_loops_are_a_tree_of_siblings(profiler):
    train()
    assert picture(ci.trace("dict")) == (
        "cirron.session\n"
        "  epoch[0]\n"
        "    batch[0] | loss=0\n"
        "    batch[1] | loss=1\n"
        "  epoch[1]\n"
        "    batch[0] | loss=0\n"
        "    batch[1] | loss=1"
    )


def test_open_scopes_are_part_of_it(profiler):
    with ci.scope("epoch"):
        with ci.scope("step"):
            pass
        ci.mark("loss", 0.5)
        assert picture(ci.trace("dict")) == "cirron.session\n  epoch | loss=0.5\n    step"
        assert picture(ci.trace("dict")) == "cirron.session\n  epoch | loss=0.5\n    step"


def test_it_can_be_read_after_the_session():
    handle = ci.profile()
    train()
    ci.shutdown()
    assert picture(ci.trace("dict")).startswith("cirron.session\n  epoch[0]\n    batch[0] | loss=0\n")
    assert handle.trace("dict") == ci.trace("dict")


def test_earlier_sessions_in_the_same_folder_are_not_part_of_it():
    ci.profile()
    with ci.scope("first"):
        pass
    ci.shutdown()
    ci.profile()
    with ci.scope("second"):
        pass
    assert picture(ci.trace("dict")) == "cirron.session\n  second"
    ci.shutdown()


def test_without_a_session_it_is_empty(capsys):
    assert ci.trace("dict") == {"roots": [], "span_count": 0}
    assert json.loads(ci.trace("json")) == {"roots": [], "span_count": 0}
    assert len(ci.trace("df")) == 0
    assert ci.trace() is None


def test_by_default_it_prints_the_tree(profiler, capsys):
    train()
    assert ci.trace() is None
    printed = capsys.readouterr().out
    assert "cirron.session" in printed
    assert "epoch" in printed


def test_a_data_frame_has_one_row_a_span(profiler):
    train()
    frame = ci.trace("df")
    assert list(frame.columns) == [
        "id", "parent_id", "name", "index", "wall_us", "cpu_ns", "gpu_ns", "memory_peak_bytes", "mark_count", "depth",
    ]  # fmt: skip
    assert list(frame["name"]) == ["cirron.session", *["epoch", "batch", "batch"] * 2]


def test_the_name_keeps_spans_and_what_is_below_them(profiler):
    train()
    assert picture(ci.trace("dict", name="epoch", last=None)).count("epoch") == 2


def test_the_last_keeps_what_closed_most_recently(profiler):
    train()
    assert ci.trace("dict", last=3)["span_count"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"format": "xml"}, "'tree', 'dict', 'json', 'df'"), ({"last": 0}, "last=0")],
    ids=str,
)
def test_a_wrong_argument_is_refused_with_what_is_accepted(arguments, message):
    with pytest.raises(ValueError, match="pass") as caught:
        ci.trace(**arguments)
    assert message in str(caught.value)


def test_a_damaged_file_in_the_spool_is_passed_over(profiler, tmp_path, damaged_spools):
    train()
    ci.flush()
    (tmp_path / ".cirron" / "spool" / f"{2**62:020d}-{'0' * 32}.json").write_text("{")
    assert ci.trace("dict")["span_count"] == 7
