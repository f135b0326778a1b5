"""Surroundings for a program: what its command line is appended to."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from faults.fault import Stage
from faults.shims import preloaded

PLACES = Path(__file__).parent / "places"


def mounted(options: str) -> Callable[[Stage], list[str]]:
    """A small file system in memory at the `.cirron` folder; without the right to mount, `refusing`."""

    def launcher(stage: Stage) -> list[str]:
        if not can_mount():
            return refusing(stage)
        return [*_in_own_namespace(), "sh", str(PLACES / "mounted.sh"), options, str(stage.root)]

    return launcher


@functools.cache
def can_mount() -> bool:
    """Whether this system lets us have a mount namespace, as root or as root of a user namespace."""
    command = [*_in_own_namespace(), "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _in_own_namespace() -> list[str]:
    return ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


def refusing(stage: Stage) -> list[str]:
    """The C library says no where the program calls `refuse`; with `mounted`, it stands in for a file system."""
    return [*preloaded("refuse")(stage), f"FAULTS_REFUSE={stage.folder / 'refuse'}"]


def without_privileges(stage: Stage) -> list[str]:
    """Permissions hold, even for root."""
    return [sys.executable, str(PLACES / "without_privileges.py")]


def with_descendants(stage: Stage) -> list[str]:
    """The run ends when everybody has ended, also those whom the program leaves behind."""
    return [sys.executable, str(PLACES / "with_descendants.py")]
