"""What the collectors read. Of GPUs there is none where the tests run: torch is stood in for."""

import sys

import psutil
import pytest

from stormlog.collectors import choose
from stormlog.collectors.cgroup import limited_groups
from stormlog.collectors.cuda import CudaCollector
from stormlog.collectors.host import HostCollector, UniqueSetSize
from stormlog.collectors.mps import MpsCollector
from support.memory_devices import MB, Torch

GB = 1000 * MB


def test_the_host_tells_what_the_process_holds_and_how_full_the_machine_is():
    reading = HostCollector().read(thorough=True)
    resident_bytes = psutil.Process().memory_info().rss
    assert reading.allocated_bytes == pytest.approx(resident_bytes, rel=0.1)
    assert reading.peak_bytes >= reading.allocated_bytes
    assert reading.device_used_bytes + reading.device_free_bytes == reading.device_total_bytes
    assert (reading.reserved_bytes, reading.active_bytes, reading.inactive_bytes) == (None, None, None)
    assert reading.facts["rss_bytes"] == reading.allocated_bytes
    assert 0 < reading.facts["uss_bytes"] <= reading.facts["peak_rss_bytes"]


def test_memory_that_is_taken_is_seen_at_once():
    collector = HostCollector()
    before_bytes = collector.read(thorough=False).allocated_bytes
    taken = b"x" * (100 * MB)
    growth_bytes = collector.read(thorough=False).allocated_bytes - before_bytes
    assert growth_bytes == pytest.approx(len(taken), rel=0.05)


def test_what_takes_long_is_asked_for_seldom():
    """A reading takes microseconds and the next is due a thousand times as long after it."""
    uss = UniqueSetSize()
    assert uss.read() is not None
    assert uss.read() is None


def group(folder, **files):
    """The files of a control group."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def proc(tmp_path, cgroup, mountinfo):
    """The files below /proc that say where the groups of a process are."""
    folder = tmp_path / "proc"
    folder.mkdir()
    (folder / "cgroup").write_text(cgroup)
    (folder / "mountinfo").write_text(mountinfo)
    return folder


def version_2(tmp_path, root="/", path="/box/job"):
    mount = f"41 31 0:38 {root} {tmp_path / 'sys'} rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    return proc(tmp_path, f"0::{path}\n", mount)


def test_the_limit_of_a_group_of_version_2(tmp_path):
    inside = {
        "memory__max": 2 * GB,
        "memory__current": GB,
        "memory__stat": f"anon 5\ninactive_file {400 * MB}",
    }
    group(tmp_path / "sys/box/job", **inside)
    (found,) = limited_groups(8 * GB, version_2(tmp_path))
    assert (found.limit_bytes(), found.used_bytes()) == (2 * GB, 600 * MB)


def test_limits_of_the_groups_around_count_too(tmp_path):
    group(tmp_path / "sys/box/job", memory__max="max")
    group(tmp_path / "sys/box", memory__max=3 * GB)
    group(tmp_path / "sys")  # the outermost has no such file
    assert [each.limit_bytes() for each in limited_groups(8 * GB, version_2(tmp_path))] == [3 * GB]


def test_a_container_sees_its_own_group_as_the_root(tmp_path):
    group(tmp_path / "sys", memory__max=2 * GB)
    (found,) = limited_groups(8 * GB, version_2(tmp_path, root="/docker/abc", path="/docker/abc"))
    assert found.folder == tmp_path / "sys"


def test_the_limit_of_a_group_of_version_1(tmp_path):
    group(
        tmp_path / "sys/job",
        memory__limit_in_bytes=2 * GB,
        memory__usage_in_bytes=GB,
        memory__stat=f"inactive_file 1\ntotal_inactive_file {100 * MB}",
    )
    group(tmp_path / "sys", memory__limit_in_bytes=2**63 - 4096)
    mounts = (
        f"35 31 0:32 / {tmp_path / 'cpu'} rw - cgroup cgroup rw,cpu\n"
        f"36 31 0:33 / {tmp_path / 'sys'} rw - cgroup cgroup rw,memory\n"
    )
    folder = proc(tmp_path, "5:cpu:/other\n4:memory:/job\n0::/\n", mounts)
    (found,) = limited_groups(8 * GB, folder)
    assert (found.limit_bytes(), found.used_bytes()) == (2 * GB, 900 * MB)


def test_a_limit_above_the_machines_own_is_none(tmp_path):
    group(tmp_path / "sys/box/job", memory__max=9 * GB)
    assert limited_groups(8 * GB, version_2(tmp_path)) == []


def test_without_proc_there_are_no_limits(tmp_path):
    assert limited_groups(8 * GB, tmp_path / "nowhere") == []


@pytest.fixture
def container(tmp_path, monkeypatch):
    """The host as seen from a group of 2 GB, half of which is used; gives the folder of the group."""
    folder = tmp_path / "sys/box/job"
    group(folder, memory__max=2 * GB, memory__current=GB, memory__stat="inactive_file 0")
    monkeypatch.setattr("stormlog.collectors.cgroup.PROC", version_2(tmp_path))
    monkeypatch.setattr("stormlog.collectors.host._machine_bytes", lambda: (8 * GB, 7 * GB))
    return folder


def test_in_a_container_the_device_is_what_the_container_may_have(container):
    reading = HostCollector().read(thorough=False)
    assert (reading.device_used_bytes, reading.device_total_bytes) == (GB, 2 * GB)
    assert reading.used_share == 0.5
    assert reading.facts["cgroup_limit_bytes"] == 2 * GB


def test_a_machine_that_is_fuller_than_the_container_matters_more(container, monkeypatch):
    collector = HostCollector()
    monkeypatch.setattr("stormlog.collectors.host._machine_bytes", lambda: (8 * GB, 1 * GB))
    assert collector.read(thorough=False).used_share == 7 / 8


def test_a_group_that_vanishes_leaves_the_rest_of_the_reading(container):
    collector = HostCollector()
    (container / "memory.max").unlink()
    reading = collector.read(thorough=False)
    assert reading.allocated_bytes > 0
    assert (reading.device_used_bytes, reading.device_total_bytes) == (GB, 8 * GB)
    assert "control group" in reading.problem


def test_a_gpu_tells_what_the_allocator_holds_and_how_full_it_is():
    collector = CudaCollector(Torch(gpus_mb=(100,)), 0)
    reading = collector.read(thorough=True)
    assert (collector.name, collector.device_id) == ("cuda", 0)
    allocator = (
        reading.allocated_bytes,
        reading.reserved_bytes,
        reading.active_bytes,
        reading.inactive_bytes,
    )
    assert [each // MB for each in allocator] == [100, 120, 101, 7]
    device = (reading.device_used_bytes, reading.device_free_bytes, reading.device_total_bytes)
    assert [each // MB for each in device] == [400, 600, 1000]


def test_before_cuda_starts_only_nvml_knows_the_device():
    reading = CudaCollector(Torch(gpus_mb=(100,), started=False), 0).read(thorough=True)
    assert (reading.allocated_bytes, reading.device_used_bytes, reading.device_total_bytes) == (
        0,
        300 * MB,
        None,
    )


def test_without_nvml_nobody_knows_it_and_it_is_not_zero():
    reading = CudaCollector(Torch(gpus_mb=(100,), started=False, nvml=False), 0).read(thorough=True)
    assert reading.device_used_bytes is None


def test_a_gpu_of_amd_is_called_so():
    assert CudaCollector(Torch(gpus_mb=(1,), hip="6.0"), 0).name == "rocm"


def test_an_apple_gpu_tells_what_torch_has_of_it():
    reading = MpsCollector(Torch(mps=True)).read(thorough=True)
    assert (reading.allocated_bytes, reading.reserved_bytes, reading.device_total_bytes) == (
        3 * MB,
        5 * MB,
        100 * MB,
    )
    assert reading.device_used_bytes is None
    assert reading.used_share == 0.05


def chosen(monkeypatch, torch, device=None, local_rank=0):
    monkeypatch.setitem(sys.modules, "torch", torch)
    collector = choose(device, local_rank)
    return collector.name, collector.device_id


def test_without_a_gpu_the_host_is_looked_at(monkeypatch):
    assert chosen(monkeypatch, Torch()) == ("host", None)


def test_the_current_gpu_is_looked_at(monkeypatch):
    assert chosen(monkeypatch, Torch(gpus_mb=(1, 2, 3))) == ("cuda", 2)


def test_before_cuda_starts_it_is_the_gpu_of_the_local_rank(monkeypatch):
    assert chosen(monkeypatch, Torch(gpus_mb=(1, 2, 3), started=False), local_rank=1) == ("cuda", 1)
    assert chosen(monkeypatch, Torch(gpus_mb=(1,), started=False), local_rank=1) == ("cuda", 0)


def test_an_apple_gpu_is_found(monkeypatch):
    assert chosen(monkeypatch, Torch(mps=True)) == ("mps", 0)


@pytest.mark.parametrize(
    ("device", "expected"),
    [("host", ("host", None)), ("cuda", ("cuda", 1)), ("cuda:0", ("cuda", 0)), ("mps", ("mps", 0))],
)
def test_a_device_that_is_named_is_looked_at(monkeypatch, device, expected):
    assert chosen(monkeypatch, Torch(gpus_mb=(1, 2), mps=True), device) == expected


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_there_is_a_wrong_argument(monkeypatch, device):
    with pytest.raises(ValueError, match=f"device='{device}': there is none here"):
        chosen(monkeypatch, Torch(), device)


def test_a_gpu_needs_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match="needs torch"):
        choose("cuda", 0)


def test_torch_is_not_imported_to_look_for_a_gpu(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert choose(None, 0).name == "host"
    assert "torch" not in sys.modules


def test_the_real_torch_has_what_is_asked_of_it():
    """Whatever GPU there is or is not, these names must be there; the pinned torch is the one we know."""
    import torch

    for name in ("memory_stats_as_nested_dict", "mem_get_info", "device_memory_used", "device_count"):
        assert callable(getattr(torch.cuda, name))
    for name in ("current_allocated_memory", "driver_allocated_memory", "recommended_max_memory"):
        assert callable(getattr(torch.mps, name))
