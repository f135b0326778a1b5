"""An environment of its own for cirron-sdk, which has the same import name."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from benchmarks.driver import progress

VERSION = "0.3.0"


def python(folder: Path) -> str:
    """The interpreter of an environment with cirron-sdk, made with this one unless it exists."""
    interpreter = folder / "bin" / "python"
    finished = folder / "finished"
    if not finished.exists():
        progress(f"installing cirron-sdk {VERSION}")
        venv.create(folder, clear=True, with_pip=True)
        packages = [f"cirron-sdk=={VERSION}", "numpy"]
        subprocess.run(
            [interpreter, "-m", "pip", "install", "--quiet", *packages], check=True, stdout=sys.stderr
        )
        finished.touch()
    return str(interpreter)


def python_beside(folder: Path) -> str:
    """The same, and it finds what else is installed here: both are measured with the same frameworks."""
    interpreter = python(folder)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = folder / "lib" / version / "site-packages"
    (packages / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter
