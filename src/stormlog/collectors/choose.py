"""Which device's memory is looked at."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

from stormlog.collectors.reading import Collector

DEVICES = ("host", "cuda", "cuda:<number>", "mps")

_CUDA = re.compile(r"cuda(?::(\d+))?")


def choose(device: str | None, local_rank: int) -> Collector:
    """The collector for a device; for None that of the GPU which torch would use, or the host's where there is none.

    Args:
        device: `host`, `cuda`, `cuda:1`, `mps`, or None. Without a number it is the current GPU, or before CUDA has
            started the one that belongs to the local rank.
        local_rank: of this process on its machine.

    Raises:
        ValueError: there is no such device.
    """
    if device is None:
        return _gpu(local_rank) or _host()
    if device == "host":
        return _host()
    torch = _torch(device)
    if device == "mps" and torch.backends.mps.is_available():
        return _mps(torch)
    if match := _CUDA.fullmatch(device):
        device_id = int(match[1]) if match[1] else _current_gpu(torch, local_rank)
        if device_id < torch.cuda.device_count():
            return _cuda(torch, device_id)
    raise ValueError(f"device={device!r}: there is none here; accepted are None, {', '.join(DEVICES)}")


def check_device(device: object) -> str | None:
    """`device` itself, if it is the name of one.

    Raises:
        ValueError: naming what is accepted.
    """
    if device is None or (isinstance(device, str) and (device in DEVICES or _CUDA.fullmatch(device))):
        return device
    raise ValueError(f"device={device!r}: accepted are None, {', '.join(DEVICES)}")


def _gpu(local_rank: int) -> Collector | None:
    """The GPU of a program that has imported torch; importing it here would take seconds."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return None
    if torch.cuda.device_count() > 0:  # unlike is_available(), this lets a fork use CUDA
        return _cuda(torch, _current_gpu(torch, local_rank))
    return _mps(torch) if torch.backends.mps.is_available() else None


def _torch(device: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise ValueError(f"device={device!r} needs torch, which cannot be imported: {error}") from error
    return torch


def _current_gpu(torch: Any, local_rank: int) -> int:
    if torch.cuda.is_initialized():
        return int(torch.cuda.current_device())
    return local_rank if local_rank < torch.cuda.device_count() else 0


def _host() -> Collector:
    from stormlog.collectors.host import HostCollector

    return HostCollector()


def _cuda(torch: ModuleType, device_id: int) -> Collector:
    from stormlog.collectors.cuda import CudaCollector

    return CudaCollector(torch, device_id)


def _mps(torch: ModuleType) -> Collector:
    from stormlog.collectors.mps import MpsCollector

    return MpsCollector(torch)
