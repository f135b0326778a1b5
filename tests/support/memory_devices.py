"""Devices that show the memory a test wants them to show."""

from types import SimpleNamespace

from stormlog.collectors import Reading, WithoutPeaks

MB = 1_000_000


class Device(WithoutPeaks):
    """A device of 1000 MB; `held_mb` and `peak_mb` are what the next reading shows, `error` is raised by it."""

    name = "cuda"
    device_id = 0

    def __init__(self, held_mb=0, peak_mb=None):
        self.held_mb = held_mb
        self.peak_mb = peak_mb
        self.error = None

    def read(self, thorough):
        if self.error is not None:
            raise self.error
        held_bytes = self.held_mb * MB
        return Reading(
            allocated_bytes=held_bytes,
            device_used_bytes=held_bytes,
            device_free_bytes=1000 * MB - held_bytes,
            device_total_bytes=1000 * MB,
            peak_bytes=None if self.peak_mb is None else self.peak_mb * MB,
        )


class Torch:
    """As much of torch as the collectors ask for: one GPU per entry of `gpus_mb`, which is what its tensors hold."""

    def __init__(self, gpus_mb=(), started=True, hip=None, nvml=True, mps=False):
        self.version = SimpleNamespace(hip=hip)
        self.backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps))
        self.mps = SimpleNamespace(
            current_allocated_memory=lambda: 3 * MB,
            driver_allocated_memory=lambda: 5 * MB,
            recommended_max_memory=lambda: 100 * MB,
        )
        self.cuda = self
        self._gpus_mb = gpus_mb
        self._started = started and bool(gpus_mb)
        self._nvml = nvml

    def device_count(self):
        return len(self._gpus_mb)

    def is_initialized(self):
        return self._started

    def current_device(self):
        assert self._started, "this would start CUDA"
        return len(self._gpus_mb) - 1

    def memory_stats_as_nested_dict(self, device_id):
        held_bytes = self._gpus_mb[device_id] * MB
        amounts = {
            "allocated_bytes": held_bytes,
            "reserved_bytes": held_bytes + 20 * MB,
            "active_bytes": held_bytes + 1 * MB,
            "inactive_split_bytes": 7 * MB,
        }
        return {name: {"all": {"current": amount}} for name, amount in amounts.items()}

    def mem_get_info(self, device_id):
        assert self._started, "this would start CUDA"
        return 600 * MB, 1000 * MB

    def device_memory_used(self, device_id):
        if not self._nvml:
            raise ModuleNotFoundError("No module named 'pynvml'")
        return 300 * MB
