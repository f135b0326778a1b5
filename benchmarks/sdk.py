"""An environment of its own for cirron-sdk, which has the same import name."""

import subprocess
import sys
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
