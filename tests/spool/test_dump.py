"""A person can print a spool: one record a line."""

import subprocess
import sys

from cirron.spool.dump import dump
from support.spool_files import SESSION_ID, bare_batch, mark, put, snapshot, span


def test_each_record_is_one_line(tmp_path):
    child = span(16, "step", index=3, attrs={"note": "two words"}, mark_ids=[f"{32:032x}"])
    loss = mark(32, "loss", None, span_id=child["id"], value_nonfinite="nan")
    weight = snapshot(48, "layer.0", mode="full", stats=None, blob_uri="snapshots/w.safetensors")
    put(tmp_path, bare_batch(1, spans=[child], marks=[loss], snapshots=[weight]))
    put(tmp_path, b"{", f"{2:020d}-{2:032x}.json")
    span_line = (
        f"span id={16:032x} name=step parent_id={SESSION_ID} index=3 start_ns=1016000 end_ns=1017000"
        f' thread_id=7 pid=4242 rank=0 attrs={{"note":"two words"}} mark_ids=["{32:032x}"]'
    )
    mark_line = (
        f"mark value_type=float id={32:032x} span_id={16:032x} name=loss attrs={{}} ts_ns=1032500"
        " kind=point value_nonfinite=nan"
    )
    snapshot_line = (
        f"snapshot id={48:032x} span_id={SESSION_ID} tensor_name=layer.0 shape=[4,4] dtype=float32"
        " mode=full blob_uri=snapshots/w.safetensors ts_ns=1000600 attrs={}"
    )
    assert list(dump(tmp_path)) == [
        f"batch schema_version=1 sdk_version=0.3.0 batch_id={1:032x} created_ns=1",
        span_line,
        mark_line,
        snapshot_line,
        f"problem {2:020d}-{2:032x}.json: byte 1: Input data was truncated",
    ]


def test_a_name_cannot_break_the_line_or_drive_the_terminal(tmp_path):
    put(tmp_path, bare_batch(1, marks=[mark(32, "\x1b[2J\nmark name=x", 0.5)]))
    assert r'name="\u001b[2J\nmark name=x"' in list(dump(tmp_path))[1]


def test_the_command_prints_the_same_and_tells_problems_by_its_exit_code(tmp_path):
    put(tmp_path, bare_batch(1))
    command = [sys.executable, "-m", "cirron.spool.dump", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, list(dump(tmp_path)), "")
    put(tmp_path, b"", f"{2:020d}-{2:032x}.json")
    assert subprocess.run(command, capture_output=True).returncode == 1
