"""The same tree as dictionaries, as JSON and as a data frame."""

import json
import re
import subprocess
import sys

import pytest

from cirron.errors import CirronDependencyError
from cirron.tree import build, check_request, present, to_dict, to_frame, to_json
from support.recording import EPOCH_NS, MS, Recording, training


@pytest.fixture
def run():
    run = Recording()
    epoch = run.span("epoch", 1, 9, index=0, attrs={"lr": 0.1}, cpu_ns=5, gpu_ns=6, memory_peak_bytes=7)
    run.mark(epoch, "loss", 0.5, at=2)
    run.mark(epoch, "bad", None, at=3, value_nonfinite="nan")
    run.session(0, 10)
    return run


def test_a_dict_holds_everything_under_fixed_keys(run):
    whole = to_dict(build([run.batch()]))
    (session,) = whole.pop("roots")
    (epoch,) = session.pop("children")
    assert whole == {"span_count": 2}
    assert epoch == {
        "id": f"{1:032x}",
        "parent_id": run.session_id,
        "name": "epoch",
        "index": 0,
        "start_ns": EPOCH_NS + MS,
        "end_ns": EPOCH_NS + 9 * MS,
        "wall_us": 8000,
        "cpu_ns": 5,
        "gpu_ns": 6,
        "memory_peak_bytes": 7,
        "attrs": {"lr": 0.1},
        "marks": [
            {
                "name": "loss",
                "value": 0.5,
                "value_type": "float",
                "kind": "point",
                "ts_ns": EPOCH_NS + 2 * MS,
                "attrs": {},
            },
            {
                "name": "bad",
                "value": None,
                "value_type": "float",
                "kind": "point",
                "ts_ns": EPOCH_NS + 3 * MS,
                "attrs": {},
                "value_nonfinite": "nan",
            },
        ],
        "children": [],
    }
    assert session.keys() | {"children"} == epoch.keys()


def test_json_is_the_dict_as_text():
    for recordings in ([], [Recording()], [training(2, 3)], [training(1, 2), Recording("a" * 32)]):
        tree = build(recording.batch() for recording in recordings)
        assert json.loads(to_json(tree)) == to_dict(tree)


def test_json_of_a_tree_deeper_than_any_stack_can_be_written():
    run = Recording()
    parent = run.session_id
    for level in range(50_000):
        parent = run.span("level", level, 100_000 - level, parent=parent)
    text = to_json(build([run.batch()]))
    assert text.count('"name":"level"') == 50_000
    assert text.endswith("]}" * 50_001 + '],"span_count":50001}')


def test_the_time_of_an_open_span_is_that_so_far_and_of_an_interrupted_one_unknown():
    run = Recording()
    run.span("open", 0, None, parent=None)
    run.span("interrupted", 1, None, parent=None, attrs={"cirron.interrupted": True})
    roots = to_dict(build([run.batch()], now_ns=EPOCH_NS + 5 * MS))["roots"]
    assert [(root["name"], root["wall_us"], root["end_ns"]) for root in roots] == [
        ("open", 5000, None),
        ("interrupted", None, None),
    ]


def test_a_data_frame_has_a_row_for_each_span(run):
    assert to_frame(build([run.batch()])).to_csv(index=False).splitlines() == [
        "id,parent_id,name,index,wall_us,cpu_ns,gpu_ns,memory_peak_bytes,mark_count,depth",
        f"{run.session_id},,cirron.session,,10000,,,,0,0",
        f"{1:032x},{run.session_id},epoch,0,8000,5,6,7,2,1",
    ]


def test_whole_numbers_of_a_data_frame_stay_whole_and_can_be_summed(run):
    frame = to_frame(build([run.batch()]))
    assert {str(frame[name].dtype) for name in ("index", "wall_us", "cpu_ns", "mark_count")} == {"Int64"}
    assert frame.groupby("name")["wall_us"].sum().to_dict() == {"cirron.session": 10_000, "epoch": 8000}


def test_an_empty_data_frame_has_the_same_columns(run):
    assert list(to_frame(build([])).columns) == list(to_frame(build([run.batch()])).columns)


def test_without_pandas_the_message_names_the_extra():
    script = (
        "import sys; sys.modules['pandas'] = None\n"
        "from cirron.tree import build, to_frame\n"
        "try: to_frame(build([]))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.startswith(CirronDependencyError.__name__), done.stderr
    assert 'pip install "cirron[pandas]"' in done.stdout


def test_present_returns_what_was_asked_for(run):
    tree = build([run.batch()])
    assert present([run.batch()], "dict") == to_dict(tree)
    assert present([run.batch()], "json") == to_json(tree)
    assert present([run.batch()], "df").equals(to_frame(tree))
    assert present([run.batch()], "dict", name="epoch")["span_count"] == 1
    assert present([run.batch()], "dict", last=1)["roots"][0]["name"] == "cirron.session"


def test_present_prints_the_tree_and_returns_nothing(run, capsys):
    assert present([run.batch()]) is None
    assert capsys.readouterr().out.startswith("cirron.session  10.0 ms")


def test_an_unknown_format_is_refused_before_anything_is_read():
    with pytest.raises(ValueError, match=re.escape("pass one of 'tree', 'dict', 'json', 'df'")):
        present(iter(lambda: pytest.fail("was read"), None), "csv")
    with pytest.raises(ValueError, match="format=3"):
        check_request(3, None, None)
    with pytest.raises(ValueError, match=re.escape("format=['df']")):
        check_request(["df"], None, None)
