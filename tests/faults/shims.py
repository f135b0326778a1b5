"""Libraries that a program is made to load first, and that change what the system tells it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from faults.fault import Stage

_compiling = threading.Lock()

SOURCES = Path(__file__).parent / "shim"


def preloaded(name: str) -> Callable[[Stage], list[str]]:
    """A program with `shim/<name>.c` between itself and the C library."""
    return lambda stage: ["env", f"LD_PRELOAD={_library(name)}"]


def _library(name: str) -> str:
    with _compiling:  # faults are caused in several threads
        return _compiled(name)


@functools.cache
def _compiled(name: str) -> str:
    library = _folder() / f"{name}.so"
    compiler = os.environ.get("CC") or next(each for each in ("cc", "gcc", "clang") if shutil.which(each))
    command = [
        *compiler.split(),
        "-shared",
        "-fPIC",
        "-O1",
        "-o",
        str(library),
        str(SOURCES / f"{name}.c"),
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return str(library)


@functools.cache
def _folder() -> Path:
    """Removed when the tests end."""
    folder = tempfile.TemporaryDirectory(prefix="cirron-shims-")
    _kept.append(folder)
    return Path(folder.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []
