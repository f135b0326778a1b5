"""The memory of the process and of its machine: what there is on every computer."""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import Any

import psutil

from stormlog.collectors.cgroup import limited_groups
from stormlog.collectors.heap import heap_reader
from stormlog.collectors.reading import ANONYMOUS_BYTES, HEAP_BYTES, LIMIT, Reading, WithoutPeaks

STATUS = "/proc/self/status"
MEMINFO = "/proc/meminfo"
USS_SHARE = 1000  # finding out what no other process shares may take a thousandth of the time
USS_MOST_NS = 10_000_000  # and is given up where it takes longer than this


class HostCollector(WithoutPeaks):
    """Resident size and its peak, and how much of the machine, or of the container, is in use.

    As `allocated_bytes` it gives the resident size. In a container the device is what the container may have.
    """

    name = "host"
    device_id = None

    def __init__(self) -> None:
        total_bytes, _ = _machine_bytes()
        self._groups = limited_groups(total_bytes)
        self._uss = UniqueSetSize()
        self._heap = heap_reader()

    def read(self, thorough: bool) -> Reading:
        """The memory now, and if `thorough` now and then also what the process shares with no other."""
        resident_bytes, peak_bytes, anonymous_bytes = _process_bytes()
        facts: dict[str, Any] = {"rss_bytes": resident_bytes, "peak_rss_bytes": peak_bytes}
        if anonymous_bytes is not None:
            facts[ANONYMOUS_BYTES] = anonymous_bytes
        if self._heap is not None:
            facts[HEAP_BYTES] = self._heap()
        if thorough and (uss_bytes := self._uss.read()) is not None:
            facts["uss_bytes"] = uss_bytes
        used_bytes, total_bytes, problem = self._device(facts)
        return Reading(
            allocated_bytes=resident_bytes,
            device_used_bytes=used_bytes,
            device_free_bytes=total_bytes - used_bytes,
            device_total_bytes=total_bytes,
            peak_bytes=peak_bytes,
            facts=facts,
            problem=problem,
        )

    def _device(self, facts: dict[str, Any]) -> tuple[int, int, str | None]:
        """Used and total: of the control group that is fullest, or of the machine where none has a limit."""
        total_bytes, available_bytes = _machine_bytes()
        fullest, problem = (total_bytes - available_bytes, total_bytes), None
        for group in self._groups:
            try:
                used_bytes, limit_bytes = group.used_bytes(), group.limit_bytes()
            except OSError as error:
                problem = f"the control group cannot be read: {error}"
                continue
            if limit_bytes:
                facts[LIMIT] = min(limit_bytes, facts.get(LIMIT, limit_bytes))
                fullest = max(fullest, (min(used_bytes, limit_bytes), limit_bytes), key=_share)
        return *fullest, problem


class UniqueSetSize:
    """What a process shares with no other, asked for as seldom as its cost demands."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._not_before_ns = 0

    def read(self) -> int | None:
        """The bytes; None when the next reading is not due, or the system does not tell."""
        began_ns = time.monotonic_ns()
        if began_ns < self._not_before_ns:
            return None
        try:
            uss_bytes = int(self._process.memory_full_info().uss)
        except (psutil.Error, AttributeError):  # not permitted, or unknown on this system: so for good
            self._not_before_ns = sys.maxsize
            return None
        took_ns = time.monotonic_ns() - began_ns
        self._not_before_ns = sys.maxsize if took_ns > USS_MOST_NS else began_ns + USS_SHARE * took_ns
        return uss_bytes


def _share(used_and_total: tuple[int, int]) -> float:
    used_bytes, total_bytes = used_and_total
    return used_bytes / total_bytes


def _process_bytes() -> tuple[int, int, int | None]:
    """Resident size, its peak, and what of it belongs to no file, where the system tells that.

    From the status file, for `ru_maxrss` begins with the peak of the parent.
    """
    if sys.platform == "linux":
        status = _content(STATUS)
        resident_bytes = _size(status, b"VmRSS:")
        anonymous_bytes = _size(status, b"RssAnon:") if b"RssAnon:" in status else None
        return resident_bytes, max(_size(status, b"VmHWM:"), resident_bytes), anonymous_bytes
    resident_bytes = int(psutil.Process(os.getpid()).memory_info().rss)
    return resident_bytes, max(resident_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss), None


def _machine_bytes() -> tuple[int, int]:
    """What the machine has, and how much of that is still to be had."""
    if sys.platform == "linux":  # psutil reads the whole file and takes ten times as long
        meminfo = _content(MEMINFO)
        total_bytes = _size(meminfo, b"MemTotal:")
        return total_bytes, min(_size(meminfo, b"MemAvailable:"), total_bytes)
    machine = psutil.virtual_memory()
    return int(machine.total), int(machine.available)


def _content(path: str) -> bytes:
    """The beginning of a file of `/proc`, with as few system calls as can be."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _size(content: bytes, name: bytes) -> int:
    """The size with this name, in bytes."""
    start = content.index(name) + len(name)
    return int(content[start : content.index(b"kB", start)]) * 1024
