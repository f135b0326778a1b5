"""The values of tensors that a session keeps: which they are, where they lie, and what becomes of them."""

import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from torch import nn

import cirron as ci
from cirron import recording
from cirron.cli.app import cirron as command
from cirron.faults import Faults
from cirron.settings import Settings
from cirron.snapshots import TensorFile, files_cap, value_files
from cirron.snapshots.files_cap import FilesCap
from cirron.snapshots.keep import LEAST_SAMPLE
from cirron.snapshots.value_files import Entry, Lot, ValueFiles
from cirron.spool import read, seal_dead_journals
from cirron.spool.records import Snapshot
from support.programs import run_program

FOLDER = Path(".cirron")


def snapshots(folder=FOLDER):
    """All of them by epoch and name."""
    batches = list(read(folder).batches())
    epochs = {span.id: span.index for batch in batches for span in batch.spans if span.name == "epoch"}
    return {(epochs[each.span_id], each.tensor_name): each for batch in batches for each in batch.snapshots}


def values(snapshot, folder=FOLDER):
    return TensorFile(folder, snapshot.blob_uri).read(snapshot.tensor_name)


def train(model, epochs=2, dtype=torch.float32):
    """Gives each epoch back when its last step is done."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in ci.epochs(range(epochs)):
        optimizer.zero_grad()
        model(torch.ones(2, 8, dtype=dtype)).float().square().mean().backward()
        optimizer.step()
        yield epoch


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Linear(8, 3)


# ---- which values ----


def test_full_keeps_every_element_of_weights_and_gradients_as_they_were_at_the_end_of_each_epoch(model):
    ci.profile(snapshots="full")
    ci.watch(model)
    expected = {}
    for epoch in train(model):
        expected[epoch, "weight"] = model.weight.detach().numpy().copy()
        expected[epoch, "weight.grad"] = model.weight.grad.numpy().copy()
    ci.shutdown()
    found = snapshots()
    assert sorted(name for epoch, name in found if epoch == 0) == [
        "bias",
        "bias.grad",
        "weight",
        "weight.grad",
    ]
    for key, array in expected.items():
        assert np.array_equal(values(found[key]), array)
        assert found[key].mode == "full"
        file = "gradients" if key[1].endswith(".grad") else "weights"
        assert found[key].blob_uri == f"snapshots/{found[key].span_id}/{file}.safetensors"


@pytest.mark.parametrize(("rate", "count"), [(None, LEAST_SAMPLE), (0.2, 1600), (1, 8000)])
def test_sampled_keeps_a_share_of_the_elements_at_even_distances(rate, count):
    model = nn.Linear(8, 1000, bias=False)
    ci.profile(snapshots="sampled", sample_rate=rate)
    ci.watch(model)
    list(train(model, epochs=1))
    ci.shutdown()
    weight = snapshots()[0, "weight"]
    places = np.arange(count) * 8000 // count
    assert np.array_equal(values(weight), model.weight.detach().numpy().ravel()[places])
    assert (weight.mode, weight.shape) == ("sampled", [1000, 8])
    assert sum(weight.stats.histogram.counts) == 8000


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_values_keep_their_type(dtype):
    model = nn.Linear(8, 300, dtype=dtype)
    ci.profile(snapshots="full")
    ci.watch(model)
    list(train(model, epochs=1, dtype=dtype))
    ci.shutdown()
    array = values(snapshots()[0, "weight"])
    assert array.dtype.name == str(dtype).removeprefix("torch.")
    assert np.array_equal(array.astype(np.float64), model.weight.detach().double().numpy())


def test_what_such_a_file_cannot_hold_has_statistics_and_says_why():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.phase = nn.Parameter(torch.ones(3, dtype=torch.complex128))
            self.words = nn.Embedding(5, 2, sparse=True)

        def forward(self, x):
            return self.words(torch.tensor([1, 2])).sum() * self.phase.abs().sum() * x

    model = Odd()
    ci.profile(snapshots="full")
    ci.watch(model)
    list(train(model, epochs=1))
    ci.shutdown()
    found = {name: (each.mode, each.attrs.get("unwritable")) for (_, name), each in snapshots().items()}
    assert found == {
        "phase": ("stats", "complex128"),
        "phase.grad": ("stats", "complex128"),
        "words.weight": ("full", None),
        "words.weight.grad": ("stats", "sparse"),
    }


@pytest.mark.parametrize("kept", ["stats", "full"])
def test_names_that_no_file_can_hold_are_written_as_far_as_they_can_be_and_spoil_nothing(kept):
    model = nn.Linear(8, 3)
    model.register_parameter("\ud800", nn.Parameter(torch.ones(3)))
    model.register_parameter("\ud801", nn.Parameter(torch.zeros(3)))
    model.register_parameter("\ud802", model.weight)
    ci.profile(snapshots=kept)
    ci.watch(model)
    list(train(model, epochs=1))
    ci.shutdown()
    found = {name: each for (_, name), each in snapshots().items()}
    assert sorted(found) == ["?", "?#1", "bias", "bias.grad", "weight", "weight.grad"]
    assert found["weight"].attrs == {"tied": "?"}
    if kept == "full":
        assert [values(found[name]).tolist() for name in ("?", "?#1")] == [[1, 1, 1], [0, 0, 0]]


def test_the_command_line_reads_them(model):
    ci.profile(snapshots="full")
    ci.watch(model)
    list(train(model))
    ci.shutdown()
    span_id = snapshots()[1, "weight"].span_id
    shown = CliRunner().invoke(command, ["traces", "snapshot", span_id, "bias", "--preview", "3"])
    assert "first 3 of 3 values" in shown.output
    exported = CliRunner().invoke(command, ["traces", "snapshot", span_id, "--export", "all.npz"])
    assert exported.exit_code == 0
    with np.load("all.npz") as arrays:
        assert np.array_equal(arrays["weight"], model.weight.detach().numpy())
        assert sorted(arrays) == ["bias", "bias.grad", "weight", "weight.grad"]


def test_gradients_that_were_cleared_are_kept_as_they_were(model):
    ci.profile(snapshots="full")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x in torch.utils.data.DataLoader(torch.ones(3, 8)):
        model(x).square().mean().backward()
        gradient = model.weight.grad.numpy().copy()
        optimizer.step()
        optimizer.zero_grad()
    ci.shutdown()
    assert np.array_equal(values(snapshots()[0, "weight.grad"]), gradient)


# ---- what they need ----


def test_without_the_packages_profile_says_how_to_get_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ci.CirronDependencyError, match=r"safetensors: install cirron\[snapshots\]"):
        ci.profile(snapshots="full")
    with pytest.raises(ci.CirronDependencyError, match="sampled"):
        ci.Cirron(snapshots="sampled")


def test_without_a_spool_there_is_no_place_for_them(model, caplog):
    with caplog.at_level(logging.WARNING, "cirron"):
        ci.profile(snapshots="full", output="none")
    ci.watch(model)
    list(train(model))
    ci.shutdown()
    assert "only statistics are kept" in caplog.text
    assert not FOLDER.exists()


# ---- a disk that is full, slow or out of order ----


def test_where_files_cannot_be_written_statistics_remain(model, caplog):
    FOLDER.mkdir()
    (FOLDER / "snapshots").write_text("in the way")
    ci.profile(snapshots="full")
    ci.watch(model)
    assert list(train(model, epochs=3)) == [0, 1, 2]
    ci.flush()
    assert ci.health()["snapshot_skip_count"] == 3
    ci.shutdown()
    assert len(snapshots()) == 12
    for each in snapshots().values():
        assert (each.mode, each.blob_uri, each.attrs) == ("stats", None, {"skipped": value_files.FAILED})
        assert each.stats.norm is not None
    assert caplog.text.count("could not be written") == 1


def test_a_full_disk_is_called_so_and_nothing_is_left_on_it():
    ended = run_program("""if True:
        import resource, signal, torch, cirron as ci
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        ci.profile(snapshots="full")
        model = torch.nn.Linear(300, 300)
        ci.watch(model)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        list(ci.epochs(range(2)))
        ci.flush()
        print(ci.health()["snapshot_skip_count"])
    """)
    assert (ended.code, ended.stdout) == (0, "2\n")
    assert "[Errno 27] File too large" in ended.stderr
    assert list((FOLDER / "snapshots").iterdir()) == []
    assert {each.attrs["skipped"] for each in snapshots().values()} == {value_files.FAILED}


def test_beyond_their_cap_the_oldest_files_go_and_are_counted(caplog):
    model = nn.Linear(8, 10_000, bias=False)  # 0.64 MB an epoch, with gradients
    recorder = ci.Cirron(snapshots="full", snapshot_max_bytes=2 * 1024 * 1024)
    recorder.profile()
    recorder.watch(model)
    for _ in recorder.epochs(range(6)):
        model(torch.ones(2, 8)).sum().backward()
    recorder.flush()
    health = recorder.health()
    recorder.shutdown()
    left = {path.parent.name for path in (FOLDER / "snapshots").rglob("*.safetensors")}
    epochs = {each.span_id: epoch for (epoch, _), each in snapshots().items()}
    assert sorted(epochs[span_id] for span_id in left) == [4, 5] or sorted(epochs[each] for each in left) == [
        3,
        4,
        5,
    ]
    assert health["snapshot_file_drop_count"] == 6 - len(left)
    assert caplog.text.count("have reached their cap") == 1


def many_files(folder, count, size_bytes=100):
    """The spans of a session, each with its file, as they come."""
    for number in range(count):
        path = folder / "snapshots" / f"{number:032x}" / "weights.safetensors"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(size_bytes))
        yield path.parent.name


def test_far_below_their_cap_files_are_not_measured_each_time(tmp_path, monkeypatch):
    measured = []
    size_of = files_cap.size_of
    monkeypatch.setattr(files_cap, "size_of", lambda path: [measured.append(path), size_of(path)][1])
    cap = FilesCap(tmp_path, 1024 * 1024, Faults())
    for name in many_files(tmp_path, 300):
        cap.keep(name)
    assert len(measured) == 301
    assert cap.removed_count == 0


def test_what_other_processes_write_and_remove_counts_for_the_cap_too(tmp_path):
    caps = [FilesCap(tmp_path, 50_000, Faults()) for _ in range(2)]
    names = many_files(tmp_path, 2000)
    for number, name in enumerate(names):
        caps[number % 2].keep(name)
    left = sorted((tmp_path / "snapshots").iterdir())
    assert 400 <= len(left) <= 540
    assert [int(path.name, 16) for path in left] == list(range(2000 - len(left), 2000))
    for path in left:
        shutil.rmtree(path)
    for name in many_files(tmp_path, 440):
        caps[0].keep(name)
    assert len(list((tmp_path / "snapshots").iterdir())) == 440


def test_large_snapshots_are_mentioned_once(model, caplog, monkeypatch):
    monkeypatch.setattr(value_files, "LARGE_BYTES", 100)
    ci.profile(snapshots="full")
    ci.watch(model)
    list(train(model, epochs=3))
    ci.shutdown()
    assert caplog.text.count("each snapshot writes") == 1


class Heard:
    """Stands in for the recorder of a session."""

    def __init__(self):
        self.records = []

    def add_snapshots(self, records):
        self.records += records


SPAN_ID = "1" * 32


def lot(size=10):
    snapshot = Snapshot(
        id="2" * 32, span_id=SPAN_ID, tensor_name="w", shape=[size], dtype="float32", mode="stats", stats=None,
        blob_uri=None, ts_ns=1, attrs={},
    )  # fmt: skip
    return Lot(SPAN_ID, "full", [Entry(snapshot, "weights", torch.ones(size))])


@pytest.fixture
def files(tmp_path):
    heard = Heard()
    made = ValueFiles(Settings(output_dir=tmp_path / ".cirron"), heard, Faults())
    made.heard = heard
    return made


def test_a_record_is_written_after_its_file(files):
    files.offer(lot())
    assert files.heard.records == []
    files.work()
    assert (FOLDER / "snapshots" / SPAN_ID / "weights.safetensors").is_file()
    assert b'"blob_uri":"snapshots/' in files.heard.records[0]


def test_there_is_room_for_one_look_of_any_size_or_several_small_ones(files, monkeypatch):
    monkeypatch.setattr(value_files, "ROOM_BYTES", 100)
    assert files.has_room()
    files.offer(lot(10))
    assert files.has_room()
    files.offer(lot(100))
    assert not files.has_room()
    files.finish()
    assert files.has_room()
    assert len(files.heard.records) == 2


def test_a_look_for_which_there_is_no_room_has_statistics_only(model, monkeypatch):
    monkeypatch.setattr(ValueFiles, "has_room", lambda files: False)
    ci.profile(snapshots="full")
    ci.watch(model)
    list(train(model, epochs=1))
    assert ci.health()["snapshot_skip_count"] == 1
    ci.shutdown()
    assert {(each.mode, each.attrs["skipped"]) for each in snapshots().values()} == {
        ("stats", value_files.TOO_SLOW)
    }


def test_what_is_given_up_is_recorded_without_its_values(files):
    files.offer(lot())
    files.give_up()
    assert not files.has_more()
    assert value_files.ENDED.encode() in files.heard.records[0]
    assert b'"blob_uri":null' in files.heard.records[0]


def test_a_disk_that_hangs_under_the_files_holds_flush_up_for_a_bounded_time(model, monkeypatch, caplog):
    hang = threading.Event()
    monkeypatch.setattr(value_files, "write_tensors", lambda *_: hang.wait())
    monkeypatch.setattr(recording, "FLUSH_S", 0.2)
    ci.profile(snapshots="full")
    ci.watch(model)
    list(train(model, epochs=1))
    ci.flush()
    assert "epoch" in [span.name for batch in read(FOLDER).batches() for span in batch.spans]
    assert "see whether the disk still answers" in caplog.text
    hang.set()
    ci.flush()
    ci.shutdown()
    assert len(snapshots()) == 4


def test_a_session_that_ends_before_its_values_are_written_says_so(model, monkeypatch, caplog):
    hang = threading.Event()
    monkeypatch.setattr(value_files, "write_tensors", lambda *_: hang.wait())
    monkeypatch.setattr(recording, "CLOSE_S", 0.4)
    ci.profile(snapshots="full")
    ci.watch(model)
    list(train(model, epochs=3))
    ci.shutdown()
    hang.set()
    for thread in threading.enumerate():
        if thread.name == "cirron-snapshots":
            thread.join()
    assert {each.attrs["skipped"] for each in snapshots().values()} == {value_files.ENDED}
    assert "the session ended before the values of 3 epochs could be written" in caplog.text
    assert "disk" not in caplog.text


def test_files_are_for_everybody_who_may_read_the_folder(files):
    files.offer(lot())
    files.work()
    folder = FOLDER / "snapshots" / SPAN_ID
    assert (folder / "weights.safetensors").stat().st_mode & 0o666 == folder.stat().st_mode & 0o666


# ---- the ends of programs ----

PROGRAM = """
import torch, cirron as ci
ci.profile(snapshots="full")
torch.manual_seed(0)
model = torch.nn.Linear(200, 200)
ci.watch(model)
for epoch in ci.epochs(range(5)):
    model(torch.ones(2, 200)).sum().backward()
"""


def test_a_program_that_ends_has_all_its_files():
    assert run_program(PROGRAM).code == 0
    found = snapshots()
    assert len(found) == 20
    assert all(values(each).size == np.prod(each.shape) for each in found.values())


def test_a_session_removes_what_a_killed_one_was_writing(model):
    run_program(PROGRAM + "ci.flush()\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    folder = FOLDER / "snapshots" / snapshots()[0, "weight"].span_id
    alone = FOLDER / "snapshots" / ("f" * 32)
    alone.mkdir()
    for unfinished in (folder / "gradients.safetensors.tmp", folder / ".tmpq2Wx1", alone / ".tmpA1b2c3"):
        unfinished.write_bytes(b"half a ")
    ci.profile(snapshots="full")
    ci.watch(model)
    list(train(model, epochs=1))
    ci.shutdown()
    assert sorted(path.name for path in folder.iterdir()) == ["gradients.safetensors", "weights.safetensors"]
    assert not alone.exists()


def test_what_a_program_was_writing_when_it_was_killed_does_not_look_whole():
    program = (
        PROGRAM.replace("200", "2_000").replace("range(5)", "range(50)") + '    print("done", flush=True)'
    )
    running = subprocess.Popen([sys.executable, "-P", "-c", program], stdout=subprocess.PIPE)
    running.stdout.readline()
    while not any((FOLDER / "snapshots").glob("*/*tmp*")):
        assert running.poll() is None
    running.kill()
    running.communicate()
    seal_dead_journals(FOLDER)
    named = {FOLDER / each.blob_uri for each in snapshots().values() if each.blob_uri is not None}
    whole = set((FOLDER / "snapshots").rglob("*.safetensors"))
    assert named <= whole
    for path in whole:
        with safe_open(path, "numpy") as file:
            names = file.keys()
            assert sum(file.get_tensor(name).size for name in names) == 2_000 * 2_000 + 2_000


def test_a_forked_child_writes_files_of_its_own():
    ended = run_program(
        "import os, torch, cirron as ci\n"
        "ci.profile(snapshots='full')\n"
        "model = torch.nn.Linear(2, 2)\n"
        "ci.watch(model)\n"
        "list(ci.epochs(range(1)))\n"
        "ci.flush()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    list(ci.epochs(range(2)))\n"
        "    ci.shutdown()\n"
        "    os._exit(0)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert (ended.code, ended.stdout) == (0, "0\n")
    batches = list(read(FOLDER).batches())
    found = [each for batch in batches for each in batch.snapshots]
    assert len(found) == 6
    assert all(values(each).size > 0 for each in found)
    assert len({batch.session_id for batch in batches if batch.snapshots}) == 2


def test_a_training_comes_out_the_same_to_the_bit():
    code = PROGRAM + "print(model.weight.grad.sum().item(), torch.rand(1).item())"
    plain = run_program(code.replace('ci.profile(snapshots="full")', "pass"))
    kept = run_program(code)
    assert (kept.code, kept.stdout, kept.stderr) == (0, plain.stdout, "")


def test_nothing_unfinished_is_left(model):
    ci.profile(snapshots="sampled")
    ci.watch(model)
    list(train(model))
    ci.shutdown()
    names = {name for _, _, names in os.walk(FOLDER / "snapshots") for name in names}
    assert names == {"weights.safetensors", "gradients.safetensors"}
