"""What a tracker was asked for, checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from cirron.launcher import Placement, placement
from stormlog.alerts import Alert
from stormlog.collectors.choose import check_device

LONGEST_INTERVAL_MS = 3_600_000


class TrackerSettings(Struct, frozen=True, kw_only=True):
    """The arguments of `MemoryTracker`, each of which makes sense."""

    device: str | None
    sampling_interval_ms: int
    max_events: int
    warning_share: float
    critical_share: float
    on_alert: Callable[[Alert], object] | None
    oom_dir: Path | None
    scopes: bool
    job_id: str | None
    rank: int
    local_rank: int
    world_size: int


def checked(
    *,
    device: object,
    sampling_interval_ms: object,
    max_events: object,
    warning_share: object,
    critical_share: object,
    on_alert: Any,
    oom_dir: Any,
    scopes: object,
    job_id: object,
    rank: object,
    local_rank: object,
    world_size: object,
) -> TrackerSettings:
    """The settings that these arguments make.

    Raises:
        ValueError: naming the argument and what is accepted.
    """
    launched, _ = placement(os.environ)  # a warning about senseless variables is for `ci.profile()` to give
    warning = _share("warning_share", warning_share)
    settings = TrackerSettings(
        device=check_device(device),
        sampling_interval_ms=_whole("sampling_interval_ms", sampling_interval_ms, 1, LONGEST_INTERVAL_MS),
        max_events=_whole("max_events", max_events, 1, 2**31 - 1),
        warning_share=warning,
        critical_share=_share("critical_share", critical_share, at_least=warning),
        on_alert=_callback(on_alert),
        oom_dir=_folder(oom_dir),
        scopes=_flag("scopes", scopes),
        job_id=_job(job_id, launched),
        rank=_whole("rank", launched.rank if rank is None else rank, 0),
        local_rank=_whole("local_rank", launched.local_rank if local_rank is None else local_rank, 0),
        world_size=_whole("world_size", launched.world_size if world_size is None else world_size, 1),
    )
    if settings.rank >= settings.world_size:
        raise ValueError(f"rank={settings.rank}: accepted are ranks below world_size={settings.world_size}")
    return settings


def _whole(name: str, value: object, least: int, most: int = 2**63 - 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name}={value!r}: accepted are whole numbers from {least} to {most}")
    return value


def _share(name: str, value: object, at_least: float = 0.0) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not at_least <= value <= 1
        or not value
    ):
        raise ValueError(f"{name}={value!r}: accepted are numbers above 0, from {at_least:g} to 1")
    return float(value)


def _callback(value: Any) -> Callable[[Alert], object] | None:
    if value is not None and not callable(value):
        raise ValueError(f"on_alert={value!r}: accepted are None, and a function that takes an Alert")
    return value  # type: ignore[no-any-return]


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name}={value!r}: accepted are True and False")  # noqa: TRY004 - as for the others
    return value


def _folder(value: Any) -> Path | None:
    """Where it is now: the program may change its working directory."""
    if value is None:
        return None
    try:
        return Path(value).absolute()
    except TypeError:
        raise ValueError(f"oom_dir={value!r}: accepted are None, and the path of a folder") from None


def _job(value: object, launched: Placement) -> str | None:
    if value is None:
        return launched.run_id
    if not isinstance(value, str) or not value:
        raise ValueError(f"job_id={value!r}: accepted are None, and text of at least one character")
    return value
