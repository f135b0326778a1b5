"""A device with one queue, and what torch has for such devices, as far as hooks use it.

Nothing here computes. It keeps the rules that matter: what is enqueued is done when the device comes to it, an event
tells whether that was so, and a capture forbids to ask. The allocator has one peak for each of its counters.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

STATS = {"allocated_bytes": ("all", "small_pool"), "reserved_bytes": ("all",)}


class Device:
    """Its time passes only in `advance`."""

    def __init__(self) -> None:
        self.done_ns = 0  # up to here the device has come in its queue
        self.enqueued_ns = 0
        self.events = 0
        self.is_capturing = False

    def work(self, duration_ns: int) -> None:
        self.enqueued_ns += duration_ns

    def advance(self, duration_ns: int) -> None:
        self.done_ns = min(self.enqueued_ns, self.done_ns + duration_ns)

    def finish(self) -> None:
        self.done_ns = self.enqueued_ns


class Event:
    def __init__(self, device: Device) -> None:
        self._device = device
        self._at_ns = -1
        device.events += 1

    def record(self) -> None:
        assert not self._device.is_capturing, "the event would become a part of the graph"
        self._at_ns = self._device.enqueued_ns

    def query(self) -> bool:
        assert not self._device.is_capturing, "the capture would be spoiled"
        return self._at_ns <= self._device.done_ns

    def elapsed_time(self, end: Event) -> float:
        assert (self.query(), end.query()) == (True, True)
        return (end._at_ns - self._at_ns) / 1e6


class Memory:
    """The counters of an allocator; a block counts in all of them."""

    def __init__(self) -> None:
        self.stats: dict[str, dict[str, dict[str, int]]] = {
            name: {pool: {"current": 0, "peak": 0} for pool in pools} for name, pools in STATS.items()
        }
        self.reads = 0

    def change(self, by: int, name: str = "allocated_bytes", pool: str = "all") -> None:
        stat = self.stats[name][pool]
        stat["current"] = max(0, stat["current"] + by)
        stat["peak"] = max(stat["peak"], stat["current"])

    def read(self) -> dict[str, Any]:
        self.reads += 1
        nested = {
            name: {pool: dict(stat) for pool, stat in pools.items()} for name, pools in self.stats.items()
        }
        return {**nested, "oversize_allocations": {"current": 0, "peak": 0}, "num_ooms": 0}

    def reset(self) -> None:
        for pools in self.stats.values():
            for stat in pools.values():
                stat["peak"] = stat["current"]


def peak(stats: dict[str, Any], name: str = "allocated_bytes", pool: str = "all") -> int:
    found: int = stats[name][pool]["peak"]
    return found


def make_cuda(device: Device, is_initialized: bool = True) -> Any:
    """What stands for `torch.cuda`."""

    class CUDAGraph:
        def capture_begin(self) -> None:
            device.is_capturing = True

        def capture_end(self) -> None:
            device.is_capturing = False

    cuda = SimpleNamespace(CUDAGraph=CUDAGraph, device=0, was_initialized=is_initialized)
    cuda.Event = lambda enable_timing: Event(device)
    cuda.current_device = lambda: cuda.device
    cuda.is_current_stream_capturing = lambda: device.is_capturing
    cuda.is_initialized = lambda: cuda.was_initialized
    cuda._lazy_init = lambda: setattr(cuda, "was_initialized", True)
    return cuda


def make_core(*memories: Memory) -> Any:
    """What stands for `torch._C`, with a device for each memory."""
    return SimpleNamespace(
        _cuda_memoryStats=lambda device: memories[device].read(),
        _cuda_resetPeakMemoryStats=lambda device: memories[device].reset(),
    )
