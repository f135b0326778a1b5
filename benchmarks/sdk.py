"""An environment of its own for cirron-sdk, which has the same import name."""

import sys
import sysconfig
from pathlib import Path

from benchmarks import environments

VERSION = "0.3.0"


def python(folder: Path) -> str:
    """The interpreter of an environment with cirron-sdk, made with this one unless it exists."""
    return environments.python(folder, f"cirron-sdk=={VERSION}")


def python_beside(folder: Path) -> str:
    """The same, and it finds what else is installed here: both are measured with the same frameworks."""
    interpreter = python(folder)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = folder / "lib" / version / "site-packages"
    (packages / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter
