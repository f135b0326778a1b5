"""What is written down when a process runs out of memory."""

import gc
import json
import weakref
from pathlib import Path

import pytest
import torch

from stormlog import MemoryTracker, load_events
from stormlog.collectors import Reading
from stormlog.oom import is_out_of_memory
from support.memory_devices import MB
from support.programs import run_program

LIMITED = """
import resource
from stormlog import MemoryTracker
tracker = MemoryTracker(device="host", sampling_interval_ms=3600000)
tracker.start_tracking()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, resource.RLIM_INFINITY))
"""


def bundles():
    """Of each its parts by name, decoded."""
    return [
        {part.name: part.read_text() if part.suffix == ".txt" else _json(part) for part in folder.iterdir()}
        for folder in sorted(Path(".cirron/oom").glob("*"))
    ]


def _json(part):
    return part if part.suffix == ".jsonl" else json.loads(part.read_bytes())


def test_an_allocation_beyond_the_limit_leaves_a_bundle_that_names_the_phase():
    ended = run_program(
        LIMITED
        + "with tracker.phase('load', {'shard': 3}): data = bytearray(50_000_000)\n"
        + "with tracker.phase('train'), tracker.phase('forward'): more = bytearray(90_000_000)\n"
    )
    assert (ended.code, "MemoryError" in ended.stderr) == (1, True)
    (bundle,) = bundles()
    assert f"stormlog: what was known of the memory is in {Path('.cirron/oom').absolute()}" in ended.stderr
    assert [phase["path"] for phase in bundle["phases.json"]["open"]] == [["train"], ["train", "forward"]]
    assert bundle["phases.json"]["ledger"]["load"]["growth_bytes"] == pytest.approx(50_000_000, rel=0.05)
    summary = bundle["summary.json"]
    assert (summary["error"]["type"], summary["left_out"]) == ("MemoryError", {})
    assert summary["environment"]["limits"]["RLIMIT_AS"][0] > 0
    assert "bytearray(90_000_000)" in bundle["traceback.txt"] or "<string>" in bundle["traceback.txt"]
    assert [event.context for event in load_events(bundle["events.jsonl"])][
        -1
    ] == "phase enter: train / forward"


def test_one_that_nobody_catches_outside_of_any_phase_leaves_one_too():
    ended = run_program(LIMITED + "more = bytearray(200_000_000)\n")
    assert ended.code == 1
    (bundle,) = bundles()
    assert (bundle["summary.json"]["cause"][:11], bundle["phases.json"]["open"]) == ("MemoryError", [])


def test_a_program_that_does_not_run_out_leaves_none():
    ended = run_program(
        LIMITED + "with tracker.phase('load'): data = bytearray(50_000_000)\nraise KeyError\n"
    )
    assert (ended.code, bundles()) == (1, [])


def test_one_exception_leaves_one_bundle_and_passes_on_unchanged(device):
    error = MemoryError("no more")
    with (
        pytest.raises(MemoryError) as caught,
        MemoryTracker() as tracker,
        tracker.phase("a"),
        tracker.phase("b"),
    ):
        raise error
    assert caught.value is error
    assert len(bundles()) == 1


def test_one_that_is_handled_within_a_phase_leaves_none(device, tracker):
    with tracker.phase("a"):
        try:
            raise MemoryError
        except MemoryError:
            with tracker.phase("b"):
                pass
    assert bundles() == []


def test_a_session_writes_three_at_most(device, tracker):
    for _ in range(5):
        with pytest.raises(MemoryError), tracker.phase("a"):
            raise MemoryError
    assert len(bundles()) == 3


def test_torchs_own_exception_counts_also_where_it_is_the_cause():
    wrapped = RuntimeError("the step failed")
    wrapped.__cause__ = torch.OutOfMemoryError("CUDA out of memory")
    assert (is_out_of_memory(wrapped), is_out_of_memory(RuntimeError()), is_out_of_memory(None)) == (
        True,
        False,
        False,
    )


def test_the_largest_tensors_are_named_and_not_kept_alive(device, tracker):
    large = torch.zeros(3_000_000)
    view = large[:10]
    with pytest.raises(MemoryError), tracker.phase("a"):
        raise MemoryError
    (bundle,) = bundles()
    largest = bundle["tensors.json"][0]
    assert (largest["storage_bytes"], largest["dtype"]) == (12_000_000, "torch.float32")
    assert [each["storage_bytes"] for each in bundle["tensors.json"]].count(12_000_000) == 1
    gone = weakref.ref(large)
    del large, view
    gc.collect()
    assert gone() is None


def test_a_control_group_that_is_nearly_full_leaves_a_bundle_each_time(device, tracker):
    limit = {"cgroup_limit_bytes": 1000 * MB}
    for used_mb in (500, 960, 970, 945, 960, 500, 990):
        device.read = lambda _, used_mb=used_mb: Reading(
            device_used_bytes=used_mb * MB, device_total_bytes=1000 * MB, facts=limit
        )
        tracker._session.sample()
    assert [bundle["summary.json"]["cause"] for bundle in bundles()] == [
        "the control group is 96% full",
        "the control group is 99% full",
    ]


def test_the_group_that_a_process_is_in_is_watched_while_it_fills_up(tmp_path, monkeypatch, wait_until):
    """As a container has it, but for the place: only root could make a group, and limit it."""
    folder, proc = tmp_path / "sys/job", tmp_path / "proc"
    folder.mkdir(parents=True)
    proc.mkdir()
    (proc / "cgroup").write_text("0::/job\n")
    (proc / "mountinfo").write_text(f"41 31 0:38 / {tmp_path / 'sys'} rw shared:9 - cgroup2 cgroup2 rw\n")
    (folder / "memory.max").write_text(f"{1000 * MB}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {10 * MB}\n")
    (folder / "memory.current").write_text(f"{500 * MB}\n")
    monkeypatch.setattr("stormlog.collectors.cgroup.PROC", proc)
    with MemoryTracker(device="host", sampling_interval_ms=5) as tracker, tracker.phase("train"):
        wait_until(lambda: len(tracker.events()) > 5)
        assert bundles() == []
        (folder / "memory.current").write_text(f"{980 * MB}\n")
        wait_until(bundles)
    (bundle,) = bundles()
    assert bundle["summary.json"]["cause"] == "the control group is 97% full"
    assert [phase["path"] for phase in bundle["phases.json"]["open"]] == [["train"]]


def test_a_part_that_cannot_be_made_leaves_out_only_itself(device, tracker, monkeypatch):
    monkeypatch.setattr("stormlog.oom.bundle.largest_tensors", lambda: 1 / 0)
    with pytest.raises(MemoryError), tracker.phase("a"):
        raise MemoryError
    (bundle,) = bundles()
    assert bundle["summary.json"]["left_out"] == {"tensors.json": "division by zero"}
    assert "allocator.json" in bundle


def test_a_folder_that_cannot_be_made_costs_the_bundle_only(device, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with pytest.raises(MemoryError), MemoryTracker(oom_dir=tmp_path / "file") as tracker, tracker.phase("a"):
        raise MemoryError
    assert tracker.health()["faults"] == {"oom": 2}  # as it left the phase, and as it left the tracker
    assert "no bundle about the memory was written" in caplog.text


def test_no_bundle_is_larger_than_its_limit(device, monkeypatch):
    monkeypatch.setattr("stormlog.oom.bundle.PART_MAX_BYTES", 10_000)
    tracker = MemoryTracker()
    tracker.start_tracking()
    for _ in range(100):
        with tracker.phase("a", {"text": "x" * 1000}):
            pass
    with pytest.raises(MemoryError), tracker:
        raise MemoryError
    (folder,) = Path(".cirron/oom").iterdir()
    assert max(part.stat().st_size for part in folder.iterdir()) <= 10_000
    assert 0 < len(load_events(folder / "events.jsonl")) < 20


def test_nothing_is_written_where_none_is_wanted(device):
    with pytest.raises(MemoryError), MemoryTracker(oom_dir=None):
        raise MemoryError
    assert bundles() == []


@pytest.mark.parametrize("value", [3, object()])
def test_a_folder_is_a_path(value):
    with pytest.raises(ValueError, match="oom_dir="):
        MemoryTracker(oom_dir=value)
