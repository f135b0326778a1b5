"""`cirron traces snapshot` as a user runs it: statistics, histograms, and the values in files."""

import json
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file

from cirron.spool.records import Histogram, Stats
from cirron.tree.units import TIMES
from faults.launchers import PLACES
from support.commands import cirron
from support.recording import STATS, Recording, write_tensors

OUTPUT = Path(".cirron")
SPOOL = OUTPUT / "spool"
SPAN = f"{1:032x}"


@pytest.fixture
def epoch():
    """One epoch with four tensors: a matrix, a sampled one, one in bfloat16, one without values."""
    return record_epoch()


def record_epoch(**changes):
    recording = Recording("5e" * 16)
    span_id = recording.span("epoch", 0, 10, index=3)
    weight = np.arange(24, dtype="float32").reshape(2, 3, 4) / 8
    bias = np.array([1.5, -2, np.nan, np.inf]).astype(ml_dtypes.bfloat16)
    uri = write_tensors(OUTPUT, span_id, fc__weight=weight, fc__bias=bias, scale=np.array(0.1))
    grad = write_tensors(OUTPUT, span_id, "gradients", fc__weight__grad=np.array([4, 5], dtype="int8"))
    recording.snapshot(
        span_id, "fc.weight", at=1, shape=(2, 3, 4), mode="full", **{"blob_uri": uri} | changes
    )
    recording.snapshot(span_id, "fc.bias", at=1, shape=(4,), mode="full", blob_uri=uri, dtype="bfloat16")
    recording.snapshot(span_id, "scale", at=1, shape=(), mode="full", blob_uri=uri, dtype="float64")
    recording.snapshot(span_id, "fc.weight.grad", at=2, shape=(2, 500), mode="sampled", blob_uri=grad)
    recording.snapshot(span_id, "head", at=2, shape=(4,), stats=None)
    recording.session(0, 10, attrs={"cirron.ended": "completed"})
    recording.write(SPOOL)
    return recording


def shown(*arguments, **environ):
    ran = cirron("traces", "snapshot", *arguments, **environ)
    assert (ran.code, ran.err) == (0, "")
    return ran.out.splitlines()


def refused(*arguments):
    ran = cirron("traces", "snapshot", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("Error: ")
    return ran.err.removeprefix("Error: ").rstrip("\n")


def test_a_span_shows_each_of_its_tensors_with_statistics_and_a_sketch(epoch):
    assert shown("..0001")[:5] == [
        f"epoch[3]  span {SPAN}",
        "",
        "fc.bias  4  bfloat16  full  2023-11-14T22:13:20.001Z",
        "  mean 0  std 0.25  min -0.875  max 0.875  norm 3.125",
        "  -1  ▁▁▁▁▂▄████▄▂▁▁▁  1".replace("▁▁▁▁▂▄████▄▂▁▁▁ ", "▁▁▁▁▂▄██▄▂▁▁▁▁ "),
    ]


def test_one_tensor_shows_the_whole_histogram(epoch):
    lines = shown("0000", "fc.weight")
    assert lines[2:6] == [
        f"fc.weight  2{TIMES}3{TIMES}4  float32  full  2023-11-14T22:13:20.001Z",
        "  mean 0  std 0.25  min -0.875  max 0.875  norm 3.125",
        "      -1 .. -0.875   0",
        "  -0.875 ..  -0.75   1  ▋",
    ]
    assert lines[11] == "  -0.125 ..      0  64  ████████████████████████████████████████"
    assert len(lines) == 4 + 16


def test_an_ascii_terminal_gets_plain_bars(epoch):
    lines = shown("0000", "fc.weight", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert lines[11] == "  -0.125 ..      0  64  ########################################"


def test_statistics_that_are_not_there_are_said_to_be_missing():
    recording = Recording("5e" * 16)
    session_id = recording.session(0, 1)
    recording.snapshot(session_id, "none", stats=None)
    nothing = Stats(mean=None, std=None, min=None, max=None, norm=None)
    recording.snapshot(session_id, "nan", stats=nothing)
    recording.write(SPOOL)
    assert shown("5e", "none")[3:] == ["  no statistics were taken"]
    assert shown("5e", "nan")[3:] == [
        "  mean not finite  std not finite  min not finite  max not finite  norm not finite",
        "  no histogram: one is drawn only when all elements are finite",
    ]


@pytest.mark.parametrize(
    ("bins", "counts", "line"),
    [
        ([0.0, 1.0], [1, 2, 3], "  a damaged histogram: 2 edges for 3 buckets"),
        ([], [], "  a damaged histogram: 0 edges for 0 buckets"),
        ([None, 1.0], [3], "  ? .. 1  3  ████████████████████████████████████████"),
        ([0.0, 1.0], [0], "  0 .. 1  0"),
    ],
)
def test_a_histogram_of_another_writer_is_shown_as_far_as_it_makes_sense(bins, counts, line, damaged_spools):
    recording = Recording("5e" * 16)
    histogram = Histogram(bins=bins, counts=counts)
    recording.snapshot(
        recording.session(0, 1), "odd", stats=Stats(mean=0, std=0, min=0, max=0, norm=0, histogram=histogram)
    )
    recording.write(SPOOL)
    assert shown("5e", "odd")[4:] == [line]
    assert len(shown("5e")) == 5


@pytest.mark.parametrize(
    ("name", "count", "line"),
    [
        ("fc.weight", 3, "  first 3 of 24 values: 0, 0.125, 0.25"),
        ("fc.weight", 6, "  first 6 of 24 values: 0, 0.125, 0.25, 0.375, 0.5, 0.625"),
        ("fc.bias", 9, "  first 4 of 4 values: 1.5, -2, nan, inf"),
        ("scale", 2, "  first 1 of 1 value: 0.1"),
        ("fc.weight.grad", 1, "  first 1 of 2 values, a sample of 1,000: 4"),
        ("head", 1, "  no values were kept, in the mode stats"),
    ],
)
def test_a_preview_shows_the_first_values(epoch, name, count, line):
    assert line in shown("..0001", name, "--preview", count)


def test_json_has_all_fields_and_the_preview(epoch):
    ran = cirron("traces", "snapshot", "..0001", "fc.bias", "--preview", "4", "--json")
    (snapshot,) = json.loads(ran.out)
    assert snapshot["preview"] == [1.5, -2, None, None]
    assert snapshot["scope_name"] == "epoch"
    assert snapshot["stats"]["norm"] == STATS.norm
    assert "preview" not in json.loads(cirron("traces", "snapshot", "..0001", "--json").out)[0]


@pytest.mark.parametrize(
    ("given", "name"), [("sca", "scale"), ("grad", "fc.weight.grad"), ("fc.weight", "fc.weight")]
)
def test_a_tensor_is_named_exactly_or_by_how_it_begins_or_ends(epoch, given, name):
    assert shown("..0001", given)[2].split()[0] == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["..0001", "fc"],
            "3 tensors begin or end with 'fc': choose one of fc.bias, fc.weight, fc.weight.grad",
        ),
        (["..0001", "weihgt"], "no tensor is called 'weihgt' in this span: there are fc.weight"),
        (
            ["..0001", "embedding"],
            "no tensor is called 'embedding' in this span: there are fc.bias, fc.weight, scale, fc.weight.grad, head",
        ),
        (["9"], "no snapshot was taken in a span '9': see `cirron traces snapshots` for those that were"),
        (["..0001", "scale", "--spool", "elsewhere"], "no spool at elsewhere: the directory does not exist"),
    ],
)
def test_what_cannot_be_found_is_answered_with_what_is_there(epoch, arguments, message):
    assert refused(*arguments).startswith(message)


def test_a_beginning_of_several_spans_names_them():
    recording = Recording("5e" * 16, id_head=0x446A507B2456443F)
    for index in range(2):
        recording.snapshot(recording.span("epoch", index, index + 1, index=index), "weight", at=index)
    recording.write(SPOOL)
    assert refused("446a") == (
        "2 spans with snapshots match '446a': choose one of 446a507b..0001 (epoch[0]), 446a507b..0003 (epoch[1])"
    )


# ---- values to a file ----


def test_the_values_of_all_tensors_go_into_an_npz(epoch):
    ran = cirron("traces", "snapshot", "..0001", "--export", "values.npz")
    assert ran == (
        0,
        "",
        "Wrote 4 tensors to values.npz\nLeft out 1 tensor of which only statistics were kept\n",
    )
    values = np.load("values.npz")
    assert sorted(values) == ["fc.bias", "fc.weight", "fc.weight.grad", "scale"]
    assert values["fc.weight"].shape == (2, 3, 4)
    assert values["scale"] == 0.1
    assert (values["fc.bias"].dtype, str(values["fc.bias"])) == (np.float32, "[ 1.5 -2.   nan  inf]")


def test_one_tensor_goes_into_an_npy(epoch):
    assert cirron("traces", "snapshot", "..0001", "fc.weight", "--export", "w.npy").code == 0
    assert np.load("w.npy").tolist()[1][2] == [2.5, 2.625, 2.75, 2.875]


def test_safetensors_keep_the_type_of_the_values(epoch):
    assert cirron("traces", "snapshot", "..0001", "fc", "--export", "v.safetensors").code == 1
    assert cirron("traces", "snapshot", "..0001", "--export", "v.safetensors").code == 0
    assert load_file("v.safetensors")["fc.bias"].dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize("name", ["file", "allow_pickle", "a/b", "../up", "Ω", "x" * 300])
def test_whatever_a_tensor_is_called_it_can_be_exported(name):
    recording = Recording("5e" * 16)
    session_id = recording.session(0, 1)
    uri = write_tensors(OUTPUT, session_id, **{name: np.ones(2)})
    recording.snapshot(session_id, name, mode="full", shape=(2,), blob_uri=uri)
    recording.write(SPOOL)
    assert cirron("traces", "snapshot", "5e", "--export", "v.npz").code == 0
    assert np.load("v.npz")[name].tolist() == [1, 1]


def test_several_tensors_do_not_fit_into_an_npy(epoch):
    assert refused("..0001", "--export", "v.npy") == (
        "a .npy file holds one tensor, and there are 4: name one, or export a .npz"
    )
    assert not Path("v.npy").exists()


def test_nothing_is_overwritten(epoch):
    Path("v.npz").write_text("precious")
    assert (
        refused("..0001", "--export", "v.npz") == "v.npz is there already: delete it, or choose another name"
    )
    assert Path("v.npz").read_text() == "precious"


def test_statistics_alone_cannot_be_exported(epoch):
    assert refused("..0001", "head", "--export", "v.npz").startswith("there are no values to export")


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_an_export_that_fails_leaves_nothing(epoch, suffix):
    Path("full").mkdir(mode=0o555)
    launcher = [sys.executable, str(PLACES / "without_privileges.py")]
    ran = cirron("traces", "snapshot", "..0001", "--export", f"full/v.{suffix}", launcher=launcher)
    assert (ran.code, ran.out) == (1, "")
    assert "Permission denied" in ran.err
    assert list(Path("full").iterdir()) == []


@pytest.mark.parametrize("suffix", ["npy", "npz", "safetensors"])
def test_a_disk_without_room_leaves_nothing(suffix):
    recording = Recording("5e" * 16)
    session_id = recording.session(0, 1)
    uri = write_tensors(OUTPUT, session_id, weight=np.ones(10_000))
    recording.snapshot(session_id, "weight", mode="full", shape=(10_000,), blob_uri=uri)
    recording.write(SPOOL)
    launcher = ["bash", "-c", 'ulimit -f 1; exec "$@"', "_"]  # no file larger than a kilobyte
    ran = cirron("traces", "snapshot", "5e", "--export", f"v.{suffix}", launcher=launcher)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"Error: v.{suffix} cannot be written: ") or "v.safetensors.tmp" in ran.err
    assert "File too large" in ran.err or "no room for it" in ran.err
    assert sorted(path.name for path in Path().iterdir()) == [".cirron", "home"]


def test_a_damaged_file_ends_an_export_without_a_trace(epoch):
    blob = OUTPUT / "snapshots" / SPAN / "gradients.safetensors"
    blob.write_bytes(blob.read_bytes()[:-1])
    assert "is no intact safetensors file" in refused("..0001", "--export", "v.npz")
    assert sorted(path.name for path in Path().iterdir()) == [".cirron", "home"]


@pytest.mark.parametrize(
    "options",
    [
        ["--export", "v.txt"],
        ["--export", "v"],
        ["--export", "v.npz", "--json"],
        ["--preview", "0"],
        ["--preview", "-1"],
    ],
)
def test_wrong_options_are_wrong_usage(epoch, options):
    ran = cirron("traces", "snapshot", "..0001", *options)
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: cirron traces snapshot" in ran.err


def test_several_snapshots_of_a_tensor_in_one_span_are_shown_and_the_newest_is_exported():
    recording = Recording("5e" * 16)
    session_id = recording.session(0, 9)
    for at in (2, 1):
        uri = write_tensors(OUTPUT, session_id, f"weights{at}", weight=np.array([at]))
        recording.snapshot(session_id, "weight", at=at, mode="full", shape=(1,), blob_uri=uri)
    recording.write(SPOOL)
    out = shown("5e", "weight", "--preview", "1")
    assert [line for line in out if "first" in line] == ["  first 1 of 1 value: 1", "  first 1 of 1 value: 2"]
    assert cirron("traces", "snapshot", "5e", "--export", "w.npy").code == 0
    assert np.load("w.npy").tolist() == [2]


# ---- files that are not what they should be ----


@pytest.mark.parametrize(
    "uri",
    [
        "../secret.safetensors",
        "/etc/passwd",
        f"snapshots/{SPAN}/../../../secret.safetensors",
        "snapshots/secret.safetensors",
        f"snapshots/{SPAN}/link.safetensors",
        "file:///etc/passwd",
        f"snapshots/{SPAN}/zero\0byte",
        "",
    ],
)
def test_a_file_outside_of_the_snapshots_is_never_opened(uri):
    record_epoch(blob_uri=uri)
    folder = OUTPUT / "snapshots" / SPAN
    write_tensors(Path("outside"), SPAN, fc__weight=np.ones(1))
    (folder / "weights.safetensors").rename("secret.safetensors")
    (folder / "link.safetensors").symlink_to(Path("secret.safetensors").resolve())
    message = refused("..0001", "fc.weight", "--preview", "1")
    assert message.endswith("does not lie in .cirron/snapshots, so it is not opened")


def test_links_in_a_circle_are_no_file():
    record_epoch(blob_uri=f"snapshots/{SPAN}/loop.safetensors")
    (OUTPUT / "snapshots" / SPAN / "loop.safetensors").symlink_to("loop.safetensors")
    assert "the values are gone: there is no file " in refused("..0001", "fc.weight", "--preview", "1")


def test_a_name_too_long_for_a_file_is_none():
    record_epoch(blob_uri=f"snapshots/{SPAN}/{'a' * 300}.safetensors")
    assert "the values are gone: there is no file " in refused("..0001", "fc.weight", "--preview", "1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the values are gone: there is no file "),
        (b"", "weights.safetensors is no intact safetensors file"),
        (b"garbage" * 10, "weights.safetensors is no intact safetensors file"),
        (b"\xff" * 8 + b"{}", "weights.safetensors is no intact safetensors file"),
        (b"\x02" + bytes(7) + b"{}", "weights.safetensors has no tensor 'fc.weight': it holds nothing"),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_a_clear_error(epoch, content, message):
    blob = OUTPUT / "snapshots" / SPAN / "weights.safetensors"
    blob.unlink()
    if content is not None:
        blob.write_bytes(content)
    assert message in refused("..0001", "fc.weight", "--preview", "1")


def test_a_truncated_file_is_a_clear_error(epoch):
    blob = OUTPUT / "snapshots" / SPAN / "weights.safetensors"
    blob.write_bytes(blob.read_bytes()[:-3])
    assert "is no intact safetensors file" in refused("..0001", "fc.weight", "--preview", "1")


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(epoch):
    import os

    blob = OUTPUT / "snapshots" / SPAN / "weights.safetensors"
    blob.unlink()
    os.mkfifo(blob)
    assert refused("..0001", "fc.weight", "--preview", "1").startswith("the values are gone")


def test_a_type_that_numpy_does_not_have_is_a_clear_error(epoch):
    write_tensors(OUTPUT, SPAN, fc__weight=np.ones(3).astype(ml_dtypes.float8_e4m3fn))
    assert "holds values of type F8_E4M3, which numpy does not have" in refused(
        "..0001", "fc.weight", "--preview", "1"
    )


def test_without_the_packages_the_extra_is_named(epoch):
    Path("hidden/safetensors").mkdir(parents=True)
    Path("hidden/safetensors/__init__.py").write_text("raise ImportError('hidden', name='safetensors')")
    ran = cirron("traces", "snapshot", "..0001", "fc.weight", "--preview", "1", PYTHONPATH="hidden")
    assert (ran.code, ran.out) == (1, "")
    assert "install cirron[snapshots]" in ran.err
    assert cirron("traces", "snapshot", "..0001", "fc.weight", PYTHONPATH="hidden").code == 0


def test_a_spool_that_was_moved_still_finds_its_files(epoch):
    OUTPUT.rename("archive")
    assert "  first 1 of 1 value: 0.1" in shown("..0001", "scale", "--preview", "1", "--spool", "archive")
