"""Environments of their own for packages that have our import names."""

import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.driver import progress


def python(folder: Path, package: str) -> str:
    """The interpreter of an environment with `package` and NumPy, made with this one unless it exists."""
    interpreter = folder / "bin" / "python"
    finished = folder / "finished"
    if not finished.exists():
        progress(f"installing {package}")
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run(
            [interpreter, "-m", "pip", "install", "--quiet", package, "numpy"], check=True, stdout=sys.stderr
        )
        finished.touch()
    return str(interpreter)
