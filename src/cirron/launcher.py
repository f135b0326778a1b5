"""Which process of a distributed run this is, as its launcher put it into the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """This process's place in its run; alone, it is rank 0 of 1."""

    rank: int = 0
    local_rank: int = 0
    world_size: int = 1
    run_id: str | None = None


@dataclass(frozen=True)
class Launcher:
    """The names of the environment variables that one launcher sets."""

    name: str
    rank: str
    local_rank: str
    world_size: str
    run_id: str | None


LAUNCHERS = (
    Launcher("torchrun", "RANK", "LOCAL_RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"),
    Launcher("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_SIZE", None),
    Launcher("Slurm", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS", "SLURM_JOB_ID"),
)

NO_RUN_IDS = ("", "none")  # torchrun says "none" when it was given no id


def placement(environ: Mapping[str, str]) -> tuple[Placement, list[str]]:
    """This process's place, and warnings about variables that made no sense.

    The first launcher whose rank is set is believed. Where its numbers contradict each other, the process
    counts as rank 0 of 1.
    """
    for launcher in LAUNCHERS:
        if launcher.rank in environ:
            return _read(launcher, environ)
    return Placement(), []


def _read(launcher: Launcher, environ: Mapping[str, str]) -> tuple[Placement, list[str]]:
    run_id = _run_id(launcher, environ)
    rank = _number(environ.get(launcher.rank))
    local_rank = _number(environ.get(launcher.local_rank, "0"))
    world_size = _number(environ.get(launcher.world_size))
    if rank is None or local_rank is None or world_size is None or rank >= world_size:
        return Placement(run_id=run_id), [_complaint(launcher, environ)]
    return Placement(rank, local_rank, world_size, run_id), []


def _run_id(launcher: Launcher, environ: Mapping[str, str]) -> str | None:
    run_id = environ.get(launcher.run_id, "") if launcher.run_id else ""
    return None if run_id in NO_RUN_IDS else run_id


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _complaint(launcher: Launcher, environ: Mapping[str, str]) -> str:
    names = (launcher.rank, launcher.local_rank, launcher.world_size)
    seen = ", ".join(f"{name}={environ[name]!r}" if name in environ else f"{name} unset" for name in names)
    return (
        f"the environment of {launcher.name} makes no sense ({seen}), so this process counts as rank 0 of 1: "
        f"set all three, with a rank below the world size, or unset {launcher.rank}"
    )
