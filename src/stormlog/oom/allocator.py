"""What those who hand out memory say of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from stormlog.collectors.cgroup import limited_groups

_FILES = ("/proc/self/status", "/proc/self/smaps_rollup", "/proc/meminfo")
_FILE_MAX_BYTES = 64 << 10


def allocator_facts() -> dict[str, Any]:
    """Of each GPU that torch uses what its allocator counts, and what the kernel says of the process."""
    return {"cuda": _cuda(), "files": {path: _content(Path(path)) for path in (*_FILES, *_groups())}}


def _cuda() -> list[dict[str, Any]]:
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    return [_of_device(torch.cuda, number) for number in range(torch.cuda.device_count())]


def _of_device(cuda: Any, number: int) -> dict[str, Any]:
    return {
        "device_id": number,
        "name": cuda.get_device_name(number),
        "stats": cuda.memory_stats(number),
        "summary": cuda.memory_summary(number),
    }


def _groups() -> list[str]:
    return [str(group.folder / "memory.stat") for group in limited_groups(2**63)]


def _content(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_MAX_BYTES).decode(errors="replace")
    except OSError:  # not this kernel
        return None
